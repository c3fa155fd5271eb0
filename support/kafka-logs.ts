import { Kafka, logLevel } from "kafkajs";
import type { Log } from "../src/core/log.ts";
import { silentLog } from "../src/core/log.ts";
import type { EventLog } from "../src/email/event-log/event-log.ts";
import type { KafkaConnection } from "../src/email/event-log/kafka/client.ts";
import { createKafkaClient } from "../src/email/event-log/kafka/client.ts";
import { openKafkaEventLog } from "../src/email/event-log/kafka/kafka.ts";

/** A plain kafkajs client, for a yardstick or a look from outside. */
export function connectKafka(brokers: string): Kafka {
  return new Kafka({ brokers: brokers.split(","), logLevel: logLevel.ERROR });
}

/** `brokers` as in KAFKA_BROKERS, in plain text. */
export function kafkaConnectionTo(brokers: string): KafkaConnection {
  return { brokers: brokers.split(","), ssl: false, caFile: undefined, sasl: undefined };
}

/** Nobody listens there. */
export const nobodysBroker = "127.0.0.1:1";

/** The shortest times that a broker with Kafka's defaults allows. */
const timings = { sessionTimeoutMs: 6_000, heartbeatIntervalMs: 300, fetchWaitMs: 100 };

export function openKafkaLogAt(brokers: string, log: Log = silentLog): Promise<EventLog> {
  return openKafkaEventLog({ connection: kafkaConnectionTo(brokers), log, timings });
}

/** Removes the records of partition 0 before `offset`, as retention does. */
export async function truncateKafkaTopic(
  brokers: string,
  topic: string,
  offset: number,
): Promise<void> {
  const connection = kafkaConnectionTo(brokers);
  const admin = createKafkaClient({ connection, log: silentLog, patience: "quick" }).admin();
  try {
    await admin.connect();
    await admin.fetchTopicOffsets(topic); // deleteTopicRecords looks up no metadata
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: `${offset}` }] });
  } finally {
    await admin.disconnect();
  }
}

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
