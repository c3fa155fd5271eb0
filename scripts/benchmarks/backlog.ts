import type { Message } from "kafkajs";
import { Kafka, logLevel, Partitioners } from "kafkajs";
import type { EmailEvent } from "../../src/email/event.ts";
import { encodeEmailEvent, eventKey, topicSpecs } from "../../src/email/event.ts";
import { openKafkaLogAt } from "../../support/kafka-logs.ts";
import { makeLastingCode } from "../faults/mails.ts";

const batchRecords = 5000;

/** Topics of one row, deleted when the scope ends. */
export interface Backlog extends AsyncDisposable {
  readonly events: string;
  readonly deadLetters: string;
  /** Appends so many mails: codes that live for an hour, each to somebody else. */
  add(mails: number): Promise<void>;
  /** Appends records to any topic, acknowledged. */
  send(topic: string, messages: readonly Message[]): Promise<void>;
}

export function connectKafka(brokers: string): Kafka {
  return new Kafka({ brokers: brokers.split(","), logLevel: logLevel.ERROR });
}

/** The topics as create-topics makes them. */
export async function openBacklog(brokers: string, partitions = 3): Promise<Backlog> {
  const events = `bench-${crypto.randomUUID().slice(0, 8)}`;
  const deadLetters = `${events}-dlq`;
  await using log = await openKafkaLogAt(brokers);
  const specs = topicSpecs({ events, deadLetters, partitions, replicationFactor: 1 });
  await log.createTopics(specs, { grow: false });
  const kafka = connectKafka(brokers);
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  const send = async (topic: string, messages: readonly Message[]) => {
    await producer.send({ topic, messages: [...messages], acks: -1 });
  };
  return {
    ...{ events, deadLetters, send },
    add: async (mails) => {
      for (let left = mails; left > 0; left -= batchRecords) {
        const count = Math.min(left, batchRecords);
        await send(
          events,
          Array.from({ length: count }, () => messageOf(makeLastingCode())),
        );
      }
    },
    [Symbol.asyncDispose]: async () => {
      await producer.disconnect();
      const admin = kafka.admin();
      await admin.connect();
      await admin.deleteTopics({ topics: [events, deadLetters] });
      await admin.disconnect();
    },
  };
}

function messageOf(event: EmailEvent): Message {
  return { key: Buffer.from(eventKey(event)), value: Buffer.from(encodeEmailEvent(event)) };
}
