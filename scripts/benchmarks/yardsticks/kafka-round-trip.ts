/**
 * The yardstick of end-to-end latency: a bare kafkajs producer and consumer in one process, at a
 * steady rate. `bun kafka-round-trip.ts '<JSON>'` prints `{"p99Ms":…}`: from before `send` to the
 * consumer's handler, of each message after the warm-up.
 */
import { Partitioners } from "kafkajs";
import { connectKafka } from "../backlog.ts";
import { openLoop, percentile } from "../loads/open-loop.ts";

export interface RoundTripLoad {
  readonly brokers: string;
  readonly topic: string;
  readonly perSecond: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
  /** What a message carries. */
  readonly value: string;
}

async function run(load: RoundTripLoad): Promise<{ readonly p99Ms: number }> {
  const { brokers, topic, perSecond, warmUpSeconds, seconds, value } = load;
  const client = connectKafka(brokers);
  const producer = client.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  const consumer = client.consumer({ groupId: topic });
  const [sentAt, tookMs]: [number[], number[]] = [[], []];
  const failed = Promise.withResolvers<never>();
  let arrived = Promise.withResolvers<void>();
  let awaited = 0;
  await Promise.all([producer.connect(), consumer.connect()]);
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => {
      tookMs.push(performance.now() - (sentAt[Number(message.key)] ?? Number.NaN));
      if (tookMs.length === awaited) arrived.resolve();
    },
  });
  /** Resolves when all have arrived. */
  const send = async (messages: number) => {
    arrived = Promise.withResolvers();
    awaited = sentAt.length + messages;
    await openLoop(perSecond, messages, () => {
      const key = String(sentAt.push(performance.now()) - 1);
      const sending = producer.send({ topic, acks: -1, messages: [{ key, value }] });
      sending.catch(failed.reject);
    });
    await Promise.race([arrived.promise, failed.promise]);
  };
  await send(perSecond * warmUpSeconds);
  const warmUp = tookMs.length;
  await send(perSecond * seconds);
  await Promise.all([producer.disconnect(), consumer.disconnect()]);
  return { p99Ms: percentile(tookMs.slice(warmUp), 0.99) };
}

console.log(JSON.stringify(await run(JSON.parse(process.argv[2] ?? "") as RoundTripLoad)));
process.exit(0);
