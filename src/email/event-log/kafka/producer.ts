import type { ICustomPartitioner, Producer } from "kafkajs";
import { Partitioners } from "kafkajs";
import type { InstantError } from "../../../core/errors.ts";
import { isInstantError } from "../../../core/errors.ts";
import type { Log } from "../../../core/log.ts";
import { withDeadline } from "../../../core/time.ts";
import type { OutgoingRecord, RecordPosition } from "../event-log.ts";
import { eventLogErrors, partitionOfKey } from "../event-log.ts";
import type { KafkaClient } from "./client.ts";
import { kafkaRetry, toPublishError, unavailable } from "./client.ts";
import { OutgoingMessage, recordBytesBound } from "./record-encoder.ts";
import type { QueuedRecord } from "./record-queue.ts";
import { Publication, RecordQueue } from "./record-queue.ts";

/**
 * The partition of a message, as in Java's default: murmur2 of the key; keyless ones are spread in
 * turn. A message keeps its partition when kafkajs sends it again: otherwise a keyless one would
 * move, and the broker would treat another message with the same sequence number as a duplicate.
 */
export const choosePartition: ICustomPartitioner = () => {
  const chooseInTurn = Partitioners.DefaultPartitioner();
  return (choice) => {
    const message = choice.message as OutgoingMessage;
    const { key } = message.record;
    // kafkajs computes murmur2 with 64-bit integers of two numbers each: thirty times as slow.
    message.partition ??=
      key === null ? chooseInTurn(choice) : partitionOfKey(key, choice.partitionMetadata.length);
    return message.partition;
  };
};

const metadataMaxAgeMs = 15_000;
/** How long a broker may wait for the replicas in sync. */
const acknowledgeTimeoutMs = 5_000;
/** A send is retried after 0.1, 0.2, 0.4, 0.8 s and then every second: for about 6 s in total. */
const sendRetry = kafkaRetry({ retries: 9, initialRetryTime: 100, maxRetryTime: 1_000 });
const disconnectDeadlineMs = 10_000;

/**
 * One idempotent kafkajs producer. After any failed send its sequence numbers may be wrong (kafkajs
 * rolls them back for every partition of the request, even those that succeeded), and after a
 * failed connect it would send without them: `end` it and open another.
 */
class ProducerSession {
  readonly #producer: Producer;
  #sending: Promise<unknown> = Promise.resolve();

  private constructor(client: KafkaClient) {
    this.#producer = client.producer({
      idempotent: true,
      createPartitioner: choosePartition,
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
   * sent. That happens when a partition's leader moves to a broker that has already answered:
   * kafkajs then considers everything for this broker answered, and resolves.
   */
  async send(
    topic: string,
    records: readonly QueuedRecord[],
  ): Promise<readonly (RecordPosition | undefined)[]> {
    const messages = records.map(({ record }) => new OutgoingMessage(record));
    const sent = this.#producer.send({ topic, messages, acks: -1, timeout: acknowledgeTimeoutMs });
    this.#sending = sent.catch(() => {});
    const nextOffsets = new Map<number, number>();
    for (const { partition, baseOffset } of await sent) {
      nextOffsets.set(partition, Number(baseOffset));
    }
    return messages.map(({ partition }) => {
      const offset = partition === undefined ? undefined : nextOffsets.get(partition);
      if (partition === undefined || offset === undefined) return undefined;
      nextOffsets.set(partition, offset + 1);
      return { topic, partition, offset };
    });
  }

  /** Disconnects once its last send has ended; resolves after 10 s at most, never rejects. */
  async end(): Promise<void> {
    const ended = this.#sending.then(() => this.#producer.disconnect());
    await withDeadline("disconnecting a producer", disconnectDeadlineMs, ended).catch(() => {});
  }
}

const batchRecordsMax = 1_000;
const batchBytesMax = 512 * 1024;
const queueBytesMax = 64 * 1024 * 1024;

interface TopicProducerOptions {
  /** Quick: a failed connect rejects all waiting records, so it must not take long. */
  readonly client: KafkaClient;
  readonly topic: string;
  readonly log: Log;
  /** The topic's `max.message.bytes`, which bounds a whole batch. Rejects where the topic is missing. */
  readonly batchBytesMax: () => Promise<number>;
}

/**
 * Publishes to one topic: records that arrive while a batch is in flight join the next one, of at
 * most 1,000 records or 512 KiB. One batch at a time, in the order of the calls.
 *
 * Idle: nothing waits. Connecting: there is no session; if that fails, everything waiting is
 * rejected. Sending: one batch is out, until it is acknowledged, fails, or the last of its
 * publications reaches its deadline (it may still arrive). After anything but a full
 * acknowledgement the session is closed, and the next batch opens a new one, starting with the
 * unsent records. Closed: publishes reject; waiting records are still sent.
 *
 * A batch that the topic refuses as too large is sent again record by record: only the record over
 * the limit fails. Every topic has its own producer, so that none slows down another.
 */
export class TopicProducer {
  readonly #options: TopicProducerOptions;
  readonly #queue = new RecordQueue();
  #session: ProducerSession | undefined;
  #bytesMax = batchBytesMax;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(options: TopicProducerOptions) {
    this.#options = options;
  }

  /** See `EventLog.publish`. */
  publish(
    records: readonly OutgoingRecord[],
    deadlineMs: number,
  ): Promise<readonly RecordPosition[]> {
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

  /** Sends waiting records (each up to its deadline), then disconnects. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
    await this.#session?.end();
    this.#session = undefined;
  }

  async #run(): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve)); // lets other callers of this turn join
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
      const failure = toPublishError(error, { topic });
      for (const { publication } of this.#queue.takeAll()) publication.reject(failure);
      return undefined;
    }
  }

  async #send(session: ProducerSession, batch: readonly QueuedRecord[]): Promise<void> {
    const { topic } = this.#options;
    const sent = session.send(topic, batch).then(
      (positions) => ({ kind: "acknowledged", positions }) as const,
      (error) => ({ kind: "failed", failure: toPublishError(error, { topic }) }) as const,
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
    if (isInstantError(failure, eventLogErrors.recordTooLarge) && batch.length > 1) {
      for (const queued of batch) queued.alone = true;
      this.#queue.unshift(batch);
      return;
    }
    const { topic, log } = this.#options;
    log.debug({ topic, records: batch.length, reason: failure.message }, "Publish failed");
    for (const { publication } of batch) publication.reject(failure);
  }
}

/** Returns the records without a position: they were not sent. */
function acknowledge(
  batch: readonly QueuedRecord[],
  positions: readonly (RecordPosition | undefined)[],
): readonly QueuedRecord[] {
  return batch.filter(({ publication, index }, place) => {
    const position = positions[place];
    if (position !== undefined) publication.acknowledge(index, position);
    return position === undefined;
  });
}

/** Resolves once every publication of `batch` is settled. */
function allSettled(batch: readonly QueuedRecord[]): Promise<void> {
  const publications = new Set(batch.map(({ publication }) => publication));
  const { promise, resolve } = Promise.withResolvers<void>();
  let open = publications.size;
  const settled = () => {
    open -= 1;
    if (open === 0) resolve();
  };
  for (const publication of publications) publication.whenSettled(settled);
  return promise;
}
