/**
 * A bare kafkajs consumer that parses each record's JSON and commits as kafkajs does by itself:
 *   consume.ts <brokers> <topic> <group> <warm-up records> <records>
 * Prints {"perSecond", "cpuMicros"} of the records after the warm-up, then ends.
 */
import { connectKafka } from "../backlog.ts";

const [brokers = "", topic = "", group = "", ...counts] = process.argv.slice(2);
const [warmUp = 0, records = 0] = counts.map(Number);

const consumer = connectKafka(brokers).consumer({ groupId: group });
const finished = Promise.withResolvers<void>();
let seen = 0;
let begun: { seen: number; at: number; cpu: NodeJS.CpuUsage } | undefined;

await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
await consumer.run({
  eachBatch: async ({ batch }) => {
    for (const { value } of batch.messages) {
      const event = JSON.parse(String(value)) as { message_id: string };
      if (event.message_id.length > 0) seen += 1;
    }
    if (seen >= warmUp) begun ??= { seen, at: performance.now(), cpu: process.cpuUsage() };
    if (seen >= warmUp + records) finished.resolve();
  },
});
await finished.promise;
const ms = performance.now() - (begun?.at ?? 0);
const cpu = process.cpuUsage(begun?.cpu);
const counted = seen - (begun?.seen ?? 0);
console.log(
  JSON.stringify({
    perSecond: (counted * 1000) / ms,
    cpuMicros: (cpu.user + cpu.system) / counted,
  }),
);
await consumer.disconnect();
process.exit(0);
