import { alternate } from "../alternate.ts";
import { openBacklog } from "../backlog.ts";
import type { Benchmark, Pair, Scale } from "../benchmark.ts";
import { drainOnce } from "../drain-once.ts";
import type { Stage } from "../stage.ts";

const short = 10_000;
const sizes = { full: { long: 1_000_000, pairs: 1 }, quick: { long: 100_000, pairs: 1 } } as const;
/** What compiling the hot code costs would make the short backlog look dear. */
const warmUp = 10_000;

/** What a long backlog costs beside a short one; both rows are of the same runs. */
export const memory: Benchmark = {
  name: "memory",
  job: "memory (RSS) after draining a backlog of 1 M",
  yardstick: "after draining 10 k",
  unit: "MB",
  target: { atMost: 1.15 },
  oursAtMost: 200,
  inQuick: false,
  measure: async (stage, scale) => (await measureOnce(stage, scale)).memory,
};

export const backlogLength: Benchmark = {
  name: "backlog",
  job: "CPU time for each mail of a backlog of 1 M",
  yardstick: "of a backlog of 10 k",
  unit: "µs",
  target: { atMost: 1.1 },
  inQuick: false,
  measure: async (stage, scale) => (await measureOnce(stage, scale)).cost,
};

interface LongAndShort {
  readonly memory: readonly Pair[];
  readonly cost: readonly Pair[];
}

const measured = new WeakMap<Stage, Promise<LongAndShort>>();

/** A million mails take minutes: each row asks for the same runs, of a stage of one scale. */
function measureOnce(stage: Stage, scale: Scale): Promise<LongAndShort> {
  const known = measured.get(stage) ?? measureBoth(stage, scale);
  measured.set(stage, known);
  return known;
}

async function measureBoth(stage: Stage, scale: Scale): Promise<LongAndShort> {
  const { long, pairs } = sizes[scale];
  const kafka = await stage.kafka();
  await using few = await openBacklog(kafka);
  await few.add(warmUp + short);
  await using many = await openBacklog(kafka);
  await many.add(warmUp + long);
  const drain = async (backlog: typeof few, mails: number) => {
    const { cpuMicros, residentBytes } = await drainOnce(stage, { kafka, backlog, mails, warmUp });
    return { value: residentBytes / 1e6, cpuMicros };
  };
  const memoryPairs = await alternate(pairs, {
    print: stage.print,
    ours: () => drain(many, long),
    yardstick: () => drain(few, short),
  });
  const cost = memoryPairs.map(({ cpuMicros }): Pair => {
    return { ours: cpuMicros?.ours ?? Number.NaN, yardstick: cpuMicros?.yardstick ?? Number.NaN };
  });
  return { memory: memoryPairs, cost };
}
