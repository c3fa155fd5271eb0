/** What a long backlog costs beside a short one. */
import type { Benchmark } from "../benchmark.ts";
import { alternate } from "../benchmark.ts";
import type { Backlog } from "../drain.ts";
import { drainOnce, openBacklog } from "../drain.ts";

const short = 10_000;
const long = { full: 1_000_000, quick: 100_000 } as const;
/** Long enough to compile the hot code, which would make the short backlog look expensive. */
const warmUp = 10_000;

/** A million mails take minutes: one round. */
export const memory: Benchmark = {
  name: "memory",
  job: "memory (RSS) after draining a backlog of 1 M",
  unit: "MB",
  comparisons: [
    {
      against: "yardstick",
      yardstick: "after draining 10 k",
      target: { atMost: 1.1 },
      oursAtMost: 160,
    },
    {
      against: "yardstick",
      yardstick: "of a backlog of 10 k",
      cpuJob: "CPU time per mail of a backlog of 1 M",
      target: { atMost: 1.1 },
    },
  ],
  inQuick: false,
  measure: async (stage, scale) => {
    const mails = long[scale];
    await using few = await openBacklog(stage);
    await few.add(warmUp + short);
    await using many = await openBacklog(stage);
    await many.add(warmUp + mails);
    const drain = async (backlog: Backlog, count: number) => {
      const drained = await drainOnce(stage, { backlog, mails: count, warmUp });
      return { value: drained.residentBytes / 1e6, cpuMicros: drained.cpuMicros };
    };
    return await alternate(1, {
      print: stage.print,
      ours: () => drain(many, mails),
      yardstick: () => drain(few, short),
    });
  },
};
