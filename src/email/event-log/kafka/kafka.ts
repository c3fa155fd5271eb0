import type { Log } from "../../../core/log.ts";
import type { Clock } from "../../../core/time.ts";
import { systemClock, withDeadline } from "../../../core/time.ts";
import type { EventLog, LogRange, LogRecord, Subscription, TopicReport } from "../event-log.ts";
import { createKafkaTopic, GroupAdmin, TopicAdmin } from "./admin.ts";
import { AdminSession } from "./admin-session.ts";
import type { KafkaClient, KafkaConnection } from "./client.ts";
import { createKafkaClient } from "./client.ts";
import { toPublishError } from "./errors.ts";
import type { GroupTimings } from "./group-consumer.ts";
import { groupTimingsDefault } from "./group-consumer.ts";
import { readKafkaLag } from "./lag.ts";
import { TopicProducer } from "./producer.ts";
import { RangeReader } from "./range-reader.ts";
import { openKafkaSubscription } from "./subscription.ts";

const drainOnCloseMs = 5_000;

interface KafkaEventLogOptions {
  readonly connection: KafkaConnection;
  readonly log: Log;
  readonly timings?: Partial<GroupTimings>;
  readonly clock?: Clock;
}

/**
 * The event log on Apache Kafka. Opens no connection: each part connects on its first use, so a
 * process starts while Kafka is down. Throws `config_invalid` when the CA file cannot be read.
 */
export async function openKafkaEventLog(options: KafkaEventLogOptions): Promise<EventLog> {
  const { connection, log, clock = systemClock } = options;
  const { brokers } = connection;
  const timings = { ...groupTimingsDefault, ...options.timings };
  const client = createKafkaClient({ connection, log, patience: "quick" });
  const patientClient = createKafkaClient({ connection, log, patience: "patient" });
  const session = new AdminSession(client);
  const admin = new TopicAdmin(session);
  const groups = new GroupAdmin(session);
  const producers = new Map<string, TopicProducer>();
  const subscriptions = new Set<Subscription>();
  let closing: Promise<void> | undefined;

  const producerOf = (topic: string): TopicProducer => {
    let producer = producers.get(topic);
    if (producer === undefined) {
      const batchBytesMax = () => admin.recordBytesMax(topic);
      producer = new TopicProducer({ client, log, topic, batchBytesMax });
      producers.set(topic, producer);
    }
    return producer;
  };

  const closeAll = async () => {
    await Promise.all([...subscriptions].map((each) => each.stop({ drainMs: drainOnCloseMs })));
    await Promise.all([...producers.values()].map((each) => each.close()));
    await session.close();
  };

  const eventLog: EventLog = {
    address: brokers.join(","),
    publish: (topic, records, { deadlineMs }) => producerOf(topic).publish(records, deadlineMs),
    subscribe: async (wanted) => {
      const shared = { client: patientClient, admin, brokers, log, timings };
      const subscription = openKafkaSubscription({ ...wanted, ...shared });
      subscriptions.add(subscription);
      return subscription;
    },
    readRange: (range) => readRange(client, range),
    offsets: (topic) => admin.offsets(topic),
    createTopics: async (specs, { grow }) => {
      const reports: TopicReport[] = [];
      for (const spec of specs) reports.push(await createKafkaTopic(admin, spec, grow));
      return reports;
    },
    lag: (topic, group) => readKafkaLag({ admin, groups, client, clock }, topic, group),
    ping: ({ deadlineMs }) =>
      withDeadline("asking Kafka for its brokers", deadlineMs, admin.ping()).catch((error) => {
        throw toPublishError(error);
      }),
    close: () => {
      closing ??= closeAll();
      return closing;
    },
    [Symbol.asyncDispose]: () => eventLog.close(),
  };
  return eventLog;
}

async function* readRange(
  client: KafkaClient,
  range: LogRange,
): AsyncGenerator<LogRecord, void, undefined> {
  await using reader = await RangeReader.open(client, range.topic);
  for await (const { records } of reader.fetches(range)) {
    for (const record of records) {
      range.signal?.throwIfAborted();
      yield record;
    }
  }
}
