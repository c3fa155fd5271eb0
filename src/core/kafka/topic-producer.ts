import { coreErrors } from "../error-codes.ts";
import { InstantError, isInstantError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { KafkaClient } from "./client.ts";
import { kafkaErrors } from "./error-codes.ts";
import { classifyKafkaError } from "./errors.ts";
import { ProducerSession } from "./producer-session.ts";
import type { QueuedRecord } from "./publication.ts";
import { Publication } from "./publication.ts";
import type { KafkaPosition, KafkaRecord } from "./record.ts";
import { recordBytesBound } from "./record.ts";
import { RecordQueue } from "./record-queue.ts";

const batchRecordsMax = 500;
const batchBytesMax = 512 * 1024;
const queueBytesMax = 64 * 1024 * 1024;

export interface TopicProducerOptions {
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
    const { client, batchBytesMax: ask, topic } = this.#options;
    const opening = ProducerSession.open(client);
    try {
      const [session, bytesMax] = await Promise.all([opening, ask()]);
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
