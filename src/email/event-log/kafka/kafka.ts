import type { Log } from "../../../core/log.ts";
import type { Clock } from "../../../core/time.ts";
import { systemClock, withDeadline } from "../../../core/time.ts";
import type { EventLog, LogRange, LogRecord, Subscription, TopicReport } from "../event-log.ts";
import { createKafkaTopic, GroupAdmin, TopicAdmin } from "./admin.ts";
import { AdminSession } from "./admin-session.ts";
import type { KafkaConnection } from "./client.ts";
import { createKafkaClient } from "./client.ts";
import { toEventLogError, toPublishError } from "./errors.ts";
import type { GroupTimings } from "./group-consumer.ts";
import { groupTimingsDefault } from "./group-consumer.ts";
import { readKafkaLag } from "./lag.ts";
import { KafkaProducer } from "./producer.ts";
import { RangeReader } from "./range-reader.ts";
import { KafkaSubscription } from "./subscription.ts";

const drainOnCloseMs = 5_000;

interface KafkaEventLogOptions {
  readonly connection: KafkaConnection;
  readonly log: Log;
  readonly timings?: Partial<GroupTimings>;
  readonly clock?: Clock;
}

/**
 * The event log on Apache Kafka. Opens no connection: each part connects by its first use, so a
 * process starts while Kafka is away. Throws `config_invalid` when the CA file cannot be read.
 */
export async function openKafkaEventLog(options: KafkaEventLogOptions): Promise<EventLog> {
  const { connection, log, clock = systemClock } = options;
  const timings = { ...groupTimingsDefault, ...options.timings };
  const client = createKafkaClient({ connection, log, patience: "quick" });
  const patientClient = createKafkaClient({ connection, log, patience: "patient" });
  const session = new AdminSession(client);
  const admin = new TopicAdmin(session);
  const groups = new GroupAdmin(session);
  const producer = new KafkaProducer({
    client,
    log,
    batchBytesMax: (topic) => admin.recordBytesMax(topic),
  });
  const subscriptions = new Set<Subscription>();
  let closing: Promise<void> | undefined;

  const closeAll = async () => {
    const stops = [...subscriptions].map((each) => each.stop({ drainMs: drainOnCloseMs }));
    await Promise.all(stops);
    await producer.close();
    await session.close();
  };

  const eventLog: EventLog = {
    address: connection.brokers.join(","),
    publish: (topic, records, { deadlineMs }) =>
      producer.publish(topic, records, deadlineMs).catch((error) => {
        throw toPublishError(error, topic);
      }),
    subscribe: async (subscribeOptions) => {
      const subscription = new KafkaSubscription({
        ...subscribeOptions,
        client: patientClient,
        admin,
        brokers: connection.brokers,
        log,
        timings,
      });
      subscriptions.add(subscription);
      return subscription;
    },
    readRange: (range) => readRange(range, (topic) => RangeReader.open(client, topic)),
    offsets: (topic) => mapped(topic, () => admin.offsets(topic)),
    createTopics: async (topics, { grow }) => {
      const reports: TopicReport[] = [];
      for (const spec of topics) {
        reports.push(await mapped(spec.topic, () => createKafkaTopic(admin, spec, grow)));
      }
      return reports;
    },
    lag: (topic, group) =>
      mapped(topic, () => readKafkaLag({ admin, client, clock }, topic, group)),
    owners: (topic, group) => mapped(topic, () => groups.owners(topic, group)),
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
  range: LogRange,
  open: (topic: string) => Promise<RangeReader>,
): AsyncGenerator<LogRecord, void, undefined> {
  try {
    await using reader = await open(range.topic);
    for await (const records of reader.read(range)) {
      for (const record of records) {
        range.signal?.throwIfAborted();
        yield record;
      }
    }
  } catch (error) {
    throw toEventLogError(error, range.topic);
  }
}

async function mapped<T>(topic: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw toEventLogError(error, topic);
  }
}
