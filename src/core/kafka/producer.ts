import type { Log } from "../log.ts";
import type { KafkaClient } from "./client.ts";
import type { KafkaPosition, KafkaRecord } from "./record.ts";
import { TopicProducer } from "./topic-producer.ts";

export interface KafkaProducerOptions {
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
