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
