/** What a long backlog costs beside a short one. Both rows come from the same runs. */
import type { Benchmark, Pair, Scale } from "../benchmark.ts";
import { alternate } from "../benchmark.ts";
import type { Backlog } from "../drain.ts";
import { drainOnce, openBacklog } from "../drain.ts";
import type { Stage } from "../stage.ts";

const short = 10_000;
const long = { full: 1_000_000, quick: 100_000 } as const;
/** Long enough to compile the hot code, which would make the short backlog look expensive. */
const warmUp = 10_000;

export const memory: Benchmark = {
  name: "memory",
  job: "memory (RSS) after draining a backlog of 1 M",
  yardstick: "after draining 10 k",
  unit: "MB",
  target: { atMost: 1.15 },
  oursAtMost: 200,
  inQuick: false,
  measure: (stage, scale) => measureOnce(stage, scale),
};

export const backlogLength: Benchmark = {
  name: "backlog",
  job: "CPU time per mail of a backlog of 1 M",
  yardstick: "of a backlog of 10 k",
  unit: "µs",
  target: { atMost: 1.1 },
  inQuick: false,
  measure: async (stage, scale) => {
    const pairs = await measureOnce(stage, scale);
    return pairs.map(({ cpuMicros }) => ({
      ours: cpuMicros?.ours ?? Number.NaN,
      yardstick: cpuMicros?.yardstick ?? Number.NaN,
    }));
  },
};

const measured = new WeakMap<Stage, Promise<readonly Pair[]>>();

/** A million mails take minutes: one pair, measured once per stage. */
function measureOnce(stage: Stage, scale: Scale): Promise<readonly Pair[]> {
  const known = measured.get(stage) ?? measureBoth(stage, long[scale]);
  measured.set(stage, known);
  return known;
}

async function measureBoth(stage: Stage, mails: number): Promise<readonly Pair[]> {
  await using few = await openBacklog(stage);
  await few.add(warmUp + short);
  await using many = await openBacklog(stage);
  await many.add(warmUp + mails);
  const drain = async (backlog: Backlog, count: number) => {
    const { cpuMicros, residentBytes } = await drainOnce(stage, { backlog, mails: count, warmUp });
    return { value: residentBytes / 1e6, cpuMicros };
  };
  return await alternate(1, {
    print: stage.print,
    ours: () => drain(many, mails),
    yardstick: () => drain(few, short),
  });
}
