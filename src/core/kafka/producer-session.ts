import type { Producer } from "kafkajs";
import { withDeadline } from "../deadline.ts";
import type { KafkaClient } from "./client.ts";
import { kafkaRetry } from "./client.ts";
import { StickyPartitions } from "./partitioner.ts";
import type { QueuedRecord } from "./publication.ts";
import type { KafkaPosition } from "./record.ts";
import { encodeRecord } from "./record.ts";

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
export class ProducerSession {
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
