/**
 * The yardsticks that measure themselves: `bun measured.ts <name> '<parameters as JSON>'` prints a
 * `Measured`, then exits.
 */
import { Database } from "bun:sqlite";
import { Partitioners } from "kafkajs";
import { encodeEmailEvent, eventKey } from "../../../src/email/event.ts";
import { codeEvent, makeMails } from "../../../support/events.ts";
import { connectKafka } from "../../../support/kafka-logs.ts";
import type { Measured } from "../benchmark.ts";
import { openLoop, percentile } from "../loads.ts";

const yardsticks = { consume, "round-trip": roundTrip, insert, move };
export type Yardsticks = typeof yardsticks;

interface Topic {
  readonly brokers: string;
  readonly topic: string;
}

/** For drain-kafka: a bare kafkajs consumer that parses each record and commits as usual. */
async function consume({
  brokers,
  topic,
  warmUp,
  records,
}: Topic & { readonly warmUp: number; readonly records: number }): Promise<Measured> {
  const consumer = connectKafka(brokers).consumer({ groupId: crypto.randomUUID() });
  const finished = Promise.withResolvers<void>();
  let seen = 0;
  let stop: ((records: number) => Measured) | undefined;
  let first = 0;
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachBatch: async ({ batch }) => {
      for (const { value } of batch.messages) {
        const event = JSON.parse(String(value)) as { message_id: string };
        if (event.message_id.length > 0) seen += 1;
      }
      if (seen >= warmUp && stop === undefined) {
        first = seen;
        stop = startClock();
      }
      if (seen >= warmUp + records) finished.resolve();
    },
  });
  await finished.promise;
  const measured = stop?.(seen - first);
  await consumer.disconnect();
  return measured ?? { value: Number.NaN };
}

/**
 * For replay-100k: bare kafkajs that puts each record of one topic on another, batch by batch,
 * acknowledged. Timed from the start of this process, as the program is.
 */
async function move({
  brokers,
  topic,
  to,
  records,
}: Topic & { readonly to: string; readonly records: number }): Promise<Measured> {
  const kafka = connectKafka(brokers);
  const consumer = kafka.consumer({ groupId: crypto.randomUUID() });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  const finished = Promise.withResolvers<void>();
  let moved = 0;
  await producer.connect();
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachBatch: async ({ batch }) => {
      const messages = batch.messages.map(({ key, value, headers = {} }) => {
        return { key, value, headers };
      });
      await producer.send({ topic: to, messages, acks: -1 });
      moved += messages.length;
      if (moved >= records) finished.resolve();
    },
  });
  await finished.promise;
  const ms = performance.now();
  const { user, system } = process.cpuUsage();
  return { value: (moved * 1000) / ms, cpuMicros: (user + system) / moved };
}

/**
 * For end-to-end: a bare kafkajs producer and consumer in one process, at a steady rate. The p99 in
 * ms from before `send` to the consumer's handler, without the warm-up.
 */
async function roundTrip({
  brokers,
  topic,
  perSecond,
  warmUpSeconds,
  seconds,
}: Topic & {
  readonly perSecond: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
}): Promise<Measured> {
  const client = connectKafka(brokers);
  const producer = client.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  const consumer = client.consumer({ groupId: topic });
  const value = Buffer.from(encodeEmailEvent(codeEvent()));
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
  const sendAll = async (messages: number) => {
    arrived = Promise.withResolvers();
    awaited = sentAt.length + messages;
    await openLoop(perSecond, messages, () => {
      const key = String(sentAt.push(performance.now()) - 1);
      const sending = producer.send({ topic, acks: -1, messages: [{ key, value }] });
      sending.catch(failed.reject);
    });
    await Promise.race([arrived.promise, failed.promise]);
  };
  await sendAll(perSecond * warmUpSeconds);
  const warmUp = tookMs.length;
  await sendAll(perSecond * seconds);
  await Promise.all([producer.disconnect(), consumer.disconnect()]);
  return { value: percentile(tookMs.slice(warmUp), 0.99) };
}

const rowsPerTransaction = 100;

/**
 * For drain-embedded: the same events inserted by bun:sqlite alone into a table like that of the
 * embedded log, a transaction per 100, with the program's own settings of the file.
 */
async function insert({
  file,
  mails,
}: {
  readonly file: string;
  readonly mails: number;
}): Promise<Measured> {
  const rows = makeMails(mails).map((event) => [eventKey(event), encodeEmailEvent(event)] as const);
  using database = new Database(file);
  database.run("PRAGMA journal_mode = WAL");
  database.run("PRAGMA synchronous = FULL");
  database.run(`CREATE TABLE records (
    topic_id INTEGER NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL,
    timestamp INTEGER NOT NULL, key BLOB, value BLOB, headers TEXT,
    PRIMARY KEY (topic_id, partition, offset)
  ) STRICT, WITHOUT ROWID`);
  using statement = database.prepare("INSERT INTO records VALUES (1, 0, ?, ?, ?, ?, NULL)");
  const insertBatch = database.transaction((from: number) => {
    for (const [index, [key, value]] of rows.slice(from, from + rowsPerTransaction).entries()) {
      statement.run(from + index, Date.now(), key, value);
    }
  });
  const stop = startClock();
  for (let from = 0; from < rows.length; from += rowsPerTransaction) insertBatch.immediate(from);
  return stop(rows.length);
}

/** Stops with the number of records done: the rate, and the CPU time of this process per record. */
function startClock(): (records: number) => Measured {
  const startedAt = performance.now();
  const before = process.cpuUsage();
  return (records) => {
    const ms = performance.now() - startedAt;
    const { user, system } = process.cpuUsage(before);
    return { value: (records * 1000) / ms, cpuMicros: (user + system) / records };
  };
}

const [name, parameters = "{}"] = process.argv.slice(2);
const measure = yardsticks[name as keyof Yardsticks] as (given: unknown) => Promise<Measured>;
console.log(JSON.stringify(await measure(JSON.parse(parameters))));
process.exit(0);
