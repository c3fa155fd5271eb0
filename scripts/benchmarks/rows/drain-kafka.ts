import { alternate } from "../alternate.ts";
import { openBacklog } from "../backlog.ts";
import type { Benchmark } from "../benchmark.ts";
import { warmUpMails } from "../drain.ts";
import { drainOnce } from "../drain-once.ts";
import { runYardstick } from "../yardstick.ts";

const sizes = { full: { mails: 200_000, pairs: 5 }, quick: { mails: 20_000, pairs: 1 } } as const;

export const drainKafka: Benchmark = {
  name: "drain-kafka",
  job: "drain a backlog from Kafka, log mode",
  yardstick: "a kafkajs consumer that parses each record",
  unit: "mails/s",
  target: { atLeast: 0.3 },
  inQuick: true,
  measure: async (stage, scale) => {
    const { mails, pairs } = sizes[scale];
    const kafka = await stage.kafka();
    await using backlog = await openBacklog(kafka);
    await backlog.add(warmUpMails + mails);
    return await alternate(pairs, {
      print: stage.print,
      ours: () => drainOnce(stage, { kafka, backlog, mails }),
      yardstick: () => {
        const group = crypto.randomUUID();
        return runYardstick(stage, "consume", [kafka, backlog.events, group, warmUpMails, mails]);
      },
    });
  },
};
