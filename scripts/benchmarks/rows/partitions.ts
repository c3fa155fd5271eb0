import type { Measured } from "../alternate.ts";
import { alternate } from "../alternate.ts";
import { openBacklog } from "../backlog.ts";
import type { Benchmark } from "../benchmark.ts";
import type { DrainOptions } from "../drain-once.ts";
import { drainOnce } from "../drain-once.ts";
import type { Stage } from "../stage.ts";

const sizes = { full: { mails: 50_000, pairs: 5 }, quick: { mails: 10_000, pairs: 1 } } as const;
/** What compiling the hot code costs must not count as a cost of the partitions. */
const warmUp = 10_000;

export const partitions: Benchmark = {
  name: "partitions",
  job: "CPU time for each mail, 12 partitions",
  yardstick: "the same with 3 partitions",
  unit: "µs",
  target: { atMost: 1.1 },
  inQuick: false,
  measure: async (stage, scale) => {
    const { mails, pairs } = sizes[scale];
    const kafka = await stage.kafka();
    await using few = await openBacklog(kafka, 3);
    await using many = await openBacklog(kafka, 12);
    for (const backlog of [few, many]) await backlog.add(warmUp + mails);
    return await alternate(pairs, {
      print: stage.print,
      ours: () => cost(stage, { kafka, backlog: many, mails }),
      yardstick: () => cost(stage, { kafka, backlog: few, mails }),
    });
  },
};

async function cost(stage: Stage, options: DrainOptions): Promise<Measured> {
  const { cpuMicros } = await drainOnce(stage, { ...options, warmUp });
  return { value: cpuMicros, cpuMicros };
}
