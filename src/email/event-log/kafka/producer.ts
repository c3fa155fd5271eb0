import type { ICustomPartitioner, Message, Producer } from "kafkajs";
import { Partitioners } from "kafkajs";
import { coreErrors, InstantError, isInstantError } from "../../../core/errors.ts";
import type { Log } from "../../../core/log.ts";
import { withDeadline } from "../../../core/time.ts";
import { partitionOfKey } from "../murmur2.ts";
import type { KafkaClient } from "./client.ts";
import { kafkaRetry } from "./client.ts";
import { classifyKafkaError, kafkaErrors } from "./errors.ts";
import type { KafkaPosition, KafkaRecord, QueuedRecord } from "./record.ts";
import { batchOverheadBytes, encodeRecord, Publication, recordBytesBound } from "./record.ts";

/**
 * The partition of a message, as Java's default: murmur2 of the key, in turn without a key. A
 * message keeps its partition when kafkajs sends it again: asked anew, a keyless one would move,
 * and with the same sequence number the broker would take another message for a duplicate.
 */
export class StickyPartitions {
  readonly #partitions = new WeakMap<Message, number>();

  readonly create: ICustomPartitioner = () => {
    const choose = Partitioners.DefaultPartitioner();
    return (choice) => {
      const known = this.#partitions.get(choice.message);
      if (known !== undefined) return known;
      const { message, partitionMetadata } = choice;
      const { key } = message;
      // kafkajs computes murmur2 with 64-bit integers made of two numbers each: thirty times as long.
      const partition = Buffer.isBuffer(key)
        ? partitionOfKey(key, partitionMetadata.length)
        : choose(choice);
      this.#partitions.set(message, partition);
      return partition;
    };
  };

  find(message: Message): number | undefined {
    return this.#partitions.get(message);
  }
}

const metadataMaxAgeMs = 15_000;
/** How long a broker may wait for the replicas in sync. */
const acknowledgeTimeoutMs = 5_000;
/** A send is tried again after 0.1, 0.2, 0.4, 0.8 s and then each second: about 6 s in all. */
const sendRetry = kafkaRetry({ retries: 9, initialRetryTime: 100, maxRetryTime: 1_000 });
const disconnectDeadlineMs = 10_000;

/**
 * One idempotent producer of kafkajs. After any failed send its sequence numbers may be wrong
 * (kafkajs takes them back for every partition of the request, also for those that succeeded), and
 * after a failed connect it would send without them: `end` it and open another.
 */
class ProducerSession {
  readonly #partitions = new StickyPartitions();
  readonly #producer: Producer;
  #sending: Promise<unknown> = Promise.resolve();

  private constructor(client: KafkaClient) {
    this.#producer = client.producer({
      idempotent: true,
      createPartitioner: this.#partitions.create,
      allowAutoTopicCreation: false,
      metadataMaxAge: metadataMaxAgeMs,
      retry: sendRetry,
    });
  }

  static async open(client: KafkaClient): Promise<ProducerSession> {
    const session = new ProducerSession(client);
    try {
      await session.#producer.connect();
    } catch (error) {
      void session.end();
      throw error;
    }
    return session;
  }

  /**
   * The positions in the order of the records, once all replicas in sync have them. Undefined: not
   * sent. That happens when the leader of a partition moves to a broker which answered already:
   * kafkajs then takes all that goes to this broker for answered, and resolves.
   */
  async send(
    topic: string,
    records: readonly QueuedRecord[],
  ): Promise<readonly (KafkaPosition | undefined)[]> {
    const messages = records.map(({ record }) => encodeRecord(record));
    const sent = this.#producer.send({ topic, messages, acks: -1, timeout: acknowledgeTimeoutMs });
    this.#sending = sent.catch(() => {});
    const nextOffsets = new Map<number, number>();
    for (const { partition, baseOffset } of await sent) {
      nextOffsets.set(partition, Number(baseOffset));
    }
    return messages.map((message) => {
      const partition = this.#partitions.find(message);
      const offset = partition === undefined ? undefined : nextOffsets.get(partition);
      if (partition === undefined || offset === undefined) return undefined;
      nextOffsets.set(partition, offset + 1);
      return { topic, partition, offset };
    });
  }

  /** Disconnects once its last send ended; resolves after at most 10 s, never rejects. */
  async end(): Promise<void> {
    const ended = this.#sending.then(() => this.#producer.disconnect());
    await withDeadline("disconnecting a producer", disconnectDeadlineMs, ended).catch(() => {});
  }
}

interface BatchBounds {
  readonly recordsMax: number;
  readonly bytesMax: number;
}

/** Records that wait to be sent, first in, first out; those whose publication is settled vanish. */
export class RecordQueue {
  #records: QueuedRecord[] = [];
  #head = 0;
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get length(): number {
    return this.#records.length - this.#head;
  }

  push(record: QueuedRecord): void {
    this.#records.push(record);
    this.#bytes += record.bytes;
  }

  /** Puts records back to the front, in their order. */
  unshift(records: readonly QueuedRecord[]): void {
    this.#records = [...records, ...this.#records.slice(this.#head)];
    this.#head = 0;
    for (const { bytes } of records) this.#bytes += bytes;
  }

  /** The next batch within the bounds; a record over them, or marked alone, is a batch of its own. */
  take({ recordsMax, bytesMax }: BatchBounds): readonly QueuedRecord[] {
    const batch: QueuedRecord[] = [];
    let bytes = batchOverheadBytes;
    for (let next = this.#peek(); next !== undefined; next = this.#peek()) {
      const fits = bytes + next.bytes <= bytesMax && !next.alone && !batch[0]?.alone;
      if (batch.length > 0 && (!fits || batch.length >= recordsMax)) break;
      this.#shift(next);
      batch.push(next);
      bytes += next.bytes;
    }
    return batch;
  }

  /** Empties the queue. */
  takeAll(): readonly QueuedRecord[] {
    const all = this.#records.slice(this.#head);
    this.#records = [];
    this.#head = 0;
    this.#bytes = 0;
    return all;
  }

  #peek(): QueuedRecord | undefined {
    for (;;) {
      const next = this.#records[this.#head];
      if (next === undefined || next.publication.isOpen) return next;
      this.#shift(next);
    }
  }

  #shift(record: QueuedRecord): void {
    this.#head += 1;
    this.#bytes -= record.bytes;
    if (this.#head < 1_000 || this.#head * 2 < this.#records.length) return;
    this.#records = this.#records.slice(this.#head);
    this.#head = 0;
  }
}

const batchRecordsMax = 500;
const batchBytesMax = 512 * 1024;
const queueBytesMax = 64 * 1024 * 1024;

interface TopicProducerOptions {
  /** Quick: a connect that fails rejects what waits, so it must not take long. */
  readonly client: KafkaClient;
  readonly topic: string;
  readonly log: Log;
  /** The topic's `max.message.bytes`, which bounds a whole batch. Rejects: there is no such topic. */
  readonly batchBytesMax: () => Promise<number>;
}

/**
 * Publishes to one topic: what is asked for while a batch is on its way goes with the next one, at
 * most 500 records or 512 KiB. One batch at a time, in the order of the calls.
 *
 * Idle: nothing waits. Connecting: there is no session; when this fails, all that waits is rejected.
 * Sending: one batch is out; it ends when it is acknowledged, fails, or the last of its publications
 * met its deadline (it may still arrive). After anything but a full acknowledgement the session is
 * given up and the next batch opens a fresh one, with what was left out at its front. Closed:
 * publishes reject; what waits is still sent.
 *
 * A batch that the topic refuses as too large is sent again record by record: only the record over
 * the limit fails. Other topics have a producer of their own and feel nothing.
 */
class TopicProducer {
  readonly #options: TopicProducerOptions;
  readonly #queue = new RecordQueue();
  #session: ProducerSession | undefined;
  #bytesMax = batchBytesMax;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(options: TopicProducerOptions) {
    this.#options = options;
  }

  /** Throws `kafka_unavailable`, `kafka_topic_missing`, `kafka_record_too_large`, …. */
  publish(records: readonly KafkaRecord[], deadlineMs: number): Promise<readonly KafkaPosition[]> {
    const publication = new Publication(records.length, deadlineMs);
    if (this.#closed) publication.reject(unavailable("the producer was closed"));
    else if (this.#queue.bytes > queueBytesMax) {
      publication.reject(unavailable(`${queueBytesMax} bytes are waiting already`));
    } else {
      records.forEach((record, index) => {
        const bytes = recordBytesBound(record);
        this.#queue.push({ record, bytes, publication, index, alone: false });
      });
      this.#running ??= this.#run();
    }
    return publication.positions;
  }

  /** Sends what waits (each up to its deadline), then disconnects. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
    await this.#session?.end();
    this.#session = undefined;
  }

  async #run(): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve)); // lets the callers of this turn join
      if (this.#queue.length === 0) break;
      const session = this.#session ?? (await this.#open());
      const batch = this.#queue.take({ recordsMax: batchRecordsMax, bytesMax: this.#bytesMax });
      if (session !== undefined && batch.length > 0) await this.#send(session, batch);
    }
    this.#running = undefined;
  }

  async #open(): Promise<ProducerSession | undefined> {
    const { client, batchBytesMax: readBatchBytesMax, topic } = this.#options;
    const opening = ProducerSession.open(client);
    try {
      const [session, bytesMax] = await Promise.all([opening, readBatchBytesMax()]);
      this.#bytesMax = Math.min(batchBytesMax, bytesMax);
      this.#session = session;
      return session;
    } catch (error) {
      opening.then(
        (session) => session.end(),
        () => {}, // nothing was opened
      );
      const failure = classifyKafkaError(error, { topic });
      for (const { publication } of this.#queue.takeAll()) publication.reject(failure);
      return undefined;
    }
  }

  async #send(session: ProducerSession, batch: readonly QueuedRecord[]): Promise<void> {
    const { topic } = this.#options;
    const sent = session.send(topic, batch).then(
      (positions) => ({ kind: "acknowledged", positions }) as const,
      (error) => ({ kind: "failed", failure: classifyKafkaError(error, { topic }) }) as const,
    );
    const expired = allSettled(batch).then(() => ({ kind: "expired" }) as const);
    const outcome = await Promise.race([sent, expired]);
    if (outcome.kind === "acknowledged") {
      const unsent = acknowledge(batch, outcome.positions);
      if (unsent.length === 0) return;
      this.#queue.unshift(unsent);
    }
    this.#session = undefined;
    void session.end();
    if (outcome.kind === "failed") this.#fail(batch, outcome.failure);
  }

  #fail(batch: readonly QueuedRecord[], failure: InstantError): void {
    if (isInstantError(failure, kafkaErrors.recordTooLarge) && batch.length > 1) {
      for (const queued of batch) queued.alone = true;
      this.#queue.unshift(batch);
      return;
    }
    const { topic, log } = this.#options;
    log.debug({ topic, records: batch.length, reason: failure.message }, "Publish failed");
    for (const { publication } of batch) publication.reject(failure);
  }
}

function unavailable(detail: string): InstantError {
  return new InstantError(coreErrors.kafkaUnavailable, { detail });
}

/** Returns those that have no position. */
function acknowledge(
  batch: readonly QueuedRecord[],
  positions: readonly (KafkaPosition | undefined)[],
): readonly QueuedRecord[] {
  return batch.filter(({ publication, index }, place) => {
    const position = positions[place];
    if (position !== undefined) publication.acknowledge(index, position);
    return position === undefined;
  });
}

/** Resolves when none of the publications of `batch` waits any more. */
async function allSettled(batch: readonly QueuedRecord[]): Promise<void> {
  for (const publication of new Set(batch.map((queued) => queued.publication))) {
    await new Promise<void>((resolve) => publication.whenSettled(resolve));
  }
}

interface KafkaProducerOptions {
  readonly client: KafkaClient;
  readonly log: Log;
  /** See `TopicProducerOptions`. */
  readonly batchBytesMax: (topic: string) => Promise<number>;
}

/** Publishes to any topic; each has a queue and connections of its own, opened by its first use. */
export class KafkaProducer {
  readonly #options: KafkaProducerOptions;
  readonly #topics = new Map<string, TopicProducer>();

  constructor(options: KafkaProducerOptions) {
    this.#options = options;
  }

  /** See `TopicProducer.publish`. */
  publish(
    topic: string,
    records: readonly KafkaRecord[],
    deadlineMs: number,
  ): Promise<readonly KafkaPosition[]> {
    let producer = this.#topics.get(topic);
    if (producer === undefined) {
      const { client, log, batchBytesMax } = this.#options;
      producer = new TopicProducer({
        client,
        log,
        topic,
        batchBytesMax: () => batchBytesMax(topic),
      });
      this.#topics.set(topic, producer);
    }
    return producer.publish(records, deadlineMs);
  }

  /** Sends what waits, then disconnects. Idempotent. */
  async close(): Promise<void> {
    await Promise.all([...this.#topics.values()].map((producer) => producer.close()));
  }
}
