import { silentLog } from "../src/core/log.ts";
import { createKafkaClient } from "../src/email/event-log/kafka/client.ts";
import { kafkaConnectionTo } from "./kafka-logs.ts";

/** A transaction that is under way; a broker keeps everything behind it from its readers. */
export interface OpenTransaction {
  /** To partition 0, each text under itself as key, written now, unless said otherwise. */
  send(texts: readonly string[], key?: string, writtenAt?: number): Promise<void>;
  commit(): Promise<void>;
  abort(): Promise<void>;
}

/** A producer that writes in transactions, as Kafka Streams or Spring do, one after the other. */
export class TransactionalProducer implements AsyncDisposable {
  readonly #topic: string;
  readonly #producer: ReturnType<ReturnType<typeof createKafkaClient>["producer"]>;

  private constructor(brokers: string, topic: string) {
    const connection = kafkaConnectionTo(brokers);
    const client = createKafkaClient({ connection, log: silentLog, patience: "patient" });
    this.#topic = topic;
    this.#producer = client.producer({
      transactionalId: crypto.randomUUID(),
      idempotent: true,
      maxInFlightRequests: 1,
      transactionTimeout: 60_000,
    });
  }

  static async open(brokers: string, topic: string): Promise<TransactionalProducer> {
    const producer = new TransactionalProducer(brokers, topic);
    await producer.#producer.connect();
    return producer;
  }

  async begin(): Promise<OpenTransaction> {
    const transaction = await this.#producer.transaction();
    return {
      send: async (texts, key, writtenAt = Date.now()) => {
        const timestamp = String(writtenAt);
        const messages = texts.map((text) => {
          return { key: key ?? text, value: text, partition: 0, timestamp };
        });
        await transaction.send({ topic: this.#topic, acks: -1, messages });
      },
      commit: () => transaction.commit(),
      abort: () => transaction.abort(),
    };
  }

  async commit(texts: readonly string[]): Promise<void> {
    const transaction = await this.begin();
    await transaction.send(texts);
    await transaction.commit();
  }

  async abort(texts: readonly string[]): Promise<void> {
    const transaction = await this.begin();
    await transaction.send(texts);
    await transaction.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#producer.disconnect();
  }
}
