import { alternate } from "../alternate.ts";
import { openBacklog } from "../backlog.ts";
import type { Benchmark } from "../benchmark.ts";
import { timeDrain } from "../drain.ts";
import { drainOnce } from "../drain-once.ts";
import { EmailService } from "../email-service.ts";
import { fleetOf } from "../fleet.ts";

const sizes = { full: { mails: 100_000, pairs: 3 }, quick: { mails: 20_000, pairs: 1 } } as const;
/** Enough for all three to join the group before the clock starts. */
const warmUp = 20_000;
/** Of the mails, for each of three; a third would be even. */
const shareMin = 0.15;

export const threeProcesses: Benchmark = {
  name: "three-processes",
  job: "drain a backlog by three serve-email of one group on the same cores",
  yardstick: "one serve-email",
  unit: "mails/s",
  target: { atLeast: 0.9 },
  inQuick: false,
  measure: async (stage, scale) => {
    const { mails, pairs } = sizes[scale];
    const kafka = await stage.kafka();
    await using backlog = await openBacklog(kafka);
    await backlog.add(warmUp + mails);
    return await alternate(pairs, {
      print: stage.print,
      ours: async () => {
        await using redis = await stage.openRedis();
        const options = { kafka, backlog, redis: redis.url, group: crypto.randomUUID() };
        await using first = await EmailService.start(stage, options);
        await using second = await EmailService.start(stage, options);
        await using third = await EmailService.start(stage, options);
        const fleet = fleetOf(first, second, third);
        const measured = await timeDrain(fleet, mails, warmUp);
        const shares = await fleet.shares();
        stage.print(`  shares ${shares.map((share) => share.toFixed(2)).join(", ")}`);
        if (Math.min(...shares) < shareMin) throw new Error(`they did not share: ${shares}`);
        return measured;
      },
      yardstick: () => drainOnce(stage, { kafka, backlog, mails, warmUp }),
    });
  },
};
