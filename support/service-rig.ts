import { join } from "node:path";
import { isInstantError } from "../src/core/errors.ts";
import { silentLog } from "../src/core/log.ts";
import type { EmailEvent } from "../src/email/event.ts";
import { encodeEmailEvent, eventKey, topicSpecs } from "../src/email/event.ts";
import type { EventLog } from "../src/email/event-log/event-log.ts";
import { openKafkaEventLog } from "../src/email/event-log/kafka/kafka.ts";
import type { DeliveryLedger, LedgerRecord } from "../src/email/ledger/delivery-ledger.ts";
import { openRedisDeliveryLedger } from "../src/email/ledger/redis.ts";
import { eventually } from "./eventually.ts";
import { InstantProcess } from "./instant-process.ts";
import { kafkaConnectionTo } from "./kafka-logs.ts";
import { openRedisAt } from "./own-redis.ts";
import type { SmtpSink, SmtpSinkOptions } from "./smtp-sink/smtp-sink.ts";
import { openSmtpSink } from "./smtp-sink/smtp-sink.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

interface ServiceRigOptions {
  readonly program: string;
  readonly kafka: string;
  readonly redis: string;
  readonly sink?: SmtpSinkOptions | undefined;
  /** For every process of the rig. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** The built program's services as processes, on real engines, with an SMTP server that obeys. */
export interface ServiceRig extends AsyncDisposable {
  readonly sink: SmtpSink;
  readonly eventLog: EventLog;
  readonly ledger: DeliveryLedger;
  readonly directory: string;
  readonly eventsTopic: string;
  readonly group: string;
  /** Starts a process; it is stopped with the rig. */
  start(parameters: readonly string[], environment?: Record<string, string>): InstantProcess;
  publish(events: readonly EmailEvent[]): Promise<void>;
  /** Waits until the group has finished everything. */
  untilDrained(withinMs?: number): Promise<void>;
}

export async function openServiceRig(options: ServiceRigOptions): Promise<ServiceRig> {
  const stack = new AsyncDisposableStack();
  const { path: directory } = stack.use(temporaryDirectory());
  const sink = stack.use(await openSmtpSink(options.sink));
  const { kafka, redis, program } = options;
  const connection = kafkaConnectionTo(kafka);
  const eventLog = stack.use(await openKafkaEventLog({ connection, log: silentLog }));
  const ledger = openRedisDeliveryLedger({ redis: stack.use(await openRedisAt(redis)) });
  const name = `t${crypto.randomUUID().slice(0, 8)}`;
  const [eventsTopic, group] = [name, name];
  const topics = { events: name, deadLetters: `${name}-dlq`, partitions: 3 };
  await eventLog.createTopics(topicSpecs({ ...topics, replicationFactor: 1 }), { grow: false });
  const shared = {
    KAFKA_BROKERS: kafka,
    REDIS_URL: redis,
    KAFKA_TOPIC_EMAIL_EVENTS: topics.events,
    KAFKA_TOPIC_EMAIL_DLQ: topics.deadLetters,
    KAFKA_CONSUMER_GROUP: group,
    KAFKA_SESSION_TIMEOUT: "6s",
    ...smtpEnvironment(sink),
    EMAIL_SECRET: "a secret of the test, which is long enough",
    AUTH_SECRET: "another secret of the test, long enough too",
    AUTH_SERVICE_PORT: "0",
    EMAIL_SERVICE_PORT: "0",
    DATA_DIR: join(directory, "data"),
    ...options.environment,
  };
  return {
    ...{ sink, eventLog, ledger, directory, eventsTopic, group },
    start: (parameters, environment = {}) =>
      stack.use(
        new InstantProcess(parameters, {
          program,
          directory,
          environment: { ...shared, ...environment },
        }),
      ),
    publish: (events) => publishAll(eventLog, eventsTopic, events),
    untilDrained: async (withinMs = 60_000) => {
      const drained = async () => {
        const lag = await eventLog.lag(eventsTopic, group).catch((error: unknown) => {
          if (!isInstantError(error) || !error.retryable) throw error; // Kafka may just be starting
        });
        return lag?.every(({ records }) => records === 0);
      };
      await eventually("the group has finished everything", drained, withinMs);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** EMAIL_MODE=smtp into a sink. */
export function smtpEnvironment(sink: SmtpSink): Record<string, string> {
  return {
    EMAIL_MODE: "smtp",
    SMTP_HOST: "127.0.0.1",
    SMTP_PORT: String(sink.port),
    SMTP_TLS: "none",
    SMTP_FROM: "noreply@example.com",
    SMTP_REPLY_TIMEOUT: "2s",
    EMAIL_LEASE: "2s",
  };
}

export async function publishAll(
  eventLog: EventLog,
  topic: string,
  events: readonly EmailEvent[],
): Promise<void> {
  for (let from = 0; from < events.length; from += 500) {
    const records = events.slice(from, from + 500).map((event) => {
      return { key: eventKey(event), value: encodeEmailEvent(event), headers: [] };
    });
    await eventLog.publish(topic, records, { deadlineMs: 30_000 });
  }
}

/** The mails whose answer is awaited now: whether they were sent is in the server's hands. */
export async function findSubmitting(
  ledger: DeliveryLedger,
  events: readonly EmailEvent[],
): Promise<ReadonlySet<string>> {
  return (await findByState(ledger, events)).get("submitting") ?? new Set();
}

/** The ids of the mails that the ledger knows, by their state. */
export async function findByState(
  ledger: DeliveryLedger,
  events: readonly EmailEvent[],
): Promise<ReadonlyMap<LedgerRecord["state"], ReadonlySet<string>>> {
  const records = await Promise.all(events.map(({ messageId }) => ledger.find(messageId)));
  const known = Map.groupBy(
    records.filter((record) => record !== undefined),
    ({ state }) => state,
  );
  return new Map(
    [...known].map(([state, those]) => [state, new Set(those.map(({ messageId }) => messageId))]),
  );
}

/** The Message-IDs that were accepted more than once. */
export function sentTwice(sink: SmtpSink): string[] {
  return [...sink.countByMessageId()].filter(([, times]) => times > 1).map(([id]) => id);
}

/** The address a service printed when it started. */
export function urlOf(process: InstantProcess, phrase: string): Promise<string> {
  return eventually(`it says: ${phrase}`, () => {
    const [line] = process.findLogs(phrase);
    return line === undefined ? undefined : String(line["url"]);
  });
}
