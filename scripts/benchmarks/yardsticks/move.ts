/**
 * Bare kafkajs that puts each record of one topic on another, batch by batch, acknowledged:
 *   move.ts <brokers> <from topic> <to topic> <records>
 * Prints {"perSecond", "cpuMicros"}, from the first batch to the last acknowledgement, then ends.
 */
import { Partitioners } from "kafkajs";
import { connectKafka } from "../backlog.ts";

const [brokers = "", from = "", to = "", count] = process.argv.slice(2);
const records = Number(count);

const kafka = connectKafka(brokers);
const consumer = kafka.consumer({ groupId: crypto.randomUUID() });
const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
const finished = Promise.withResolvers<void>();
let moved = 0;
let begun: { at: number; cpu: NodeJS.CpuUsage } | undefined;

await producer.connect();
await consumer.connect();
await consumer.subscribe({ topic: from, fromBeginning: true });
await consumer.run({
  eachBatch: async ({ batch: { messages } }) => {
    begun ??= { at: performance.now(), cpu: process.cpuUsage() };
    await producer.send({
      topic: to,
      messages: messages.map(({ key, value, headers = {} }) => ({ key, value, headers })),
      acks: -1,
    });
    moved += messages.length;
    if (moved >= records) finished.resolve();
  },
});
await finished.promise;
const ms = performance.now() - (begun?.at ?? 0);
const cpu = process.cpuUsage(begun?.cpu);
console.log(
  JSON.stringify({
    perSecond: (moved * 1000) / ms,
    cpuMicros: (cpu.user + cpu.system) / moved,
  }),
);
process.exit(0);
