import { join } from "node:path";
import { isInstantError } from "../../src/core/errors.ts";
import type { Log } from "../../src/core/log.ts";
import { createLog } from "../../src/core/log.ts";
import type { SqliteDatabase } from "../../src/core/sqlite/database.ts";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { systemClock } from "../../src/core/time.ts";
import type { DeadLetter } from "../../src/email/dead-letters/dead-letter.ts";
import { readDeadLetter } from "../../src/email/dead-letters/dead-letter.ts";
import type { DeliverInBatches } from "../../src/email/delivery/batches.ts";
import { BatchDelivery } from "../../src/email/delivery/batches.ts";
import { Leases } from "../../src/email/delivery/leases.ts";
import type { DeadLetterClass, DeliveryOutcome } from "../../src/email/delivery/outcome.ts";
import { isFinished } from "../../src/email/delivery/outcome.ts";
import type { Pipeline, PipelineDeps } from "../../src/email/delivery/pipeline.ts";
import { createPipeline } from "../../src/email/delivery/pipeline.ts";
import { RecipientGate } from "../../src/email/delivery/recipient-gate.ts";
import { EmailWorker } from "../../src/email/delivery/worker.ts";
import type { EmailEvent } from "../../src/email/event.ts";
import { encodeEmailEvent, eventKey, topicSpecs } from "../../src/email/event.ts";
import type { EventLog, OutgoingRecord } from "../../src/email/event-log/event-log.ts";
import { partitionOfKey } from "../../src/email/event-log/event-log.ts";
import { openKafkaEventLog } from "../../src/email/event-log/kafka/kafka.ts";
import { openSqliteEventLog } from "../../src/email/event-log/sqlite/sqlite.ts";
import type { DeliveryLedger } from "../../src/email/ledger/delivery-ledger.ts";
import { PendingOutcomes } from "../../src/email/ledger/pending-outcomes.ts";
import { openRedisDeliveryLedger } from "../../src/email/ledger/redis.ts";
import { openSqliteDeliveryLedger } from "../../src/email/ledger/sqlite.ts";
import { MailServers } from "../../src/email/mailer/mail-servers.ts";
import { openSmtpMailer } from "../../src/email/mailer/smtp/smtp.ts";
import { createUnsubscribeLink } from "../../src/email/preferences/preference-store.ts";
import type { RecentMails } from "../../src/email/recent-mails/recent-mails.ts";
import { openRedisRecentMails } from "../../src/email/recent-mails/redis.ts";
import { openSqliteRecentMails } from "../../src/email/recent-mails/sqlite.ts";
import { createSuppressRefused } from "../../src/email/suppressions/suppression-store.ts";
import { createMailRenderer } from "../../src/email/templates/mail-renderer.tsx";
import { eventually } from "../../support/eventually.ts";
import { kafkaConnectionTo } from "../../support/kafka-logs.ts";
import { openTestRedis } from "../../support/own-redis.ts";
import type { SmtpSink } from "../../support/smtp-sink/smtp-sink.ts";
import { openSmtpSink } from "../../support/smtp-sink/smtp-sink.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import type { RecipientStores } from "./recipient-stores.ts";
import { openRecipientStores } from "./recipient-stores.ts";

export interface DeliveryRigOptions {
  /** Addresses of real engines; without them the embedded ones. */
  readonly kafka?: string | undefined;
  readonly redis?: string | undefined;
  readonly postgres?: string | undefined;
  readonly leaseMs?: number;
  readonly replyTimeoutMs?: number;
  /** Default: as `replyTimeoutMs`. */
  readonly finalReplyTimeoutMs?: number;
  readonly outageRetryForMs?: number;
  readonly retryForMs?: number;
  /** Called with the kind of outcome that ended a record. */
  readonly onEnd?: (kind: DeliveryOutcome["kind"]) => void;
  readonly onOutcome?: (outcome: DeliveryOutcome, event?: EmailEvent) => void;
  readonly onBuried?: (deadLetterClass: DeadLetterClass) => void;
  /** 0, the default: no guard. */
  readonly poisonMax?: number;
  readonly resendAmbiguous?: readonly EmailEvent["eventType"][];
  /** 0, the default: no guard. */
  readonly refusalsMax?: number;
  /** As in production. */
  readonly refusesLocalhost?: boolean;
  /** Further SMTP servers, after the first. */
  readonly moreSinks?: number;
}

/** Everything that delivers mails, on engines of one test alone, with an SMTP sink. */
export interface DeliveryRig extends AsyncDisposable, RecipientStores, RigLedger {
  readonly sink: SmtpSink;
  /** The first one's, then those of `moreSinks`. */
  readonly sinks: readonly SmtpSink[];
  readonly eventLog: EventLog;
  readonly mailer: MailServers;
  readonly pipeline: Pipeline;
  readonly deliverInBatches: DeliverInBatches;
  readonly eventsTopic: string;
  readonly deadLetterTopic: string;
  readonly group: string;
  /** Log lines so far, parsed. */
  readonly lines: readonly LogLine[];
  /** Starts one more worker, of the rig's group or another; it stops with the rig, or by its `stop`. */
  startWorker(options?: { readonly group?: string }): Promise<EmailWorker>;
  publish(event: EmailEvent): Promise<void>;
  /** To one partition, in one batch of its log. */
  publishTogether(events: readonly EmailEvent[]): Promise<void>;
  publishRecord(record: OutgoingRecord): Promise<void>;
  /** The dead letters so far. */
  deadLetters(): Promise<readonly DeadLetter[]>;
  /** Waits until the group (the rig's, or another) has finished everything. */
  untilDrained(withinMs?: number, group?: string): Promise<void>;
}

type LogLine = { readonly msg: string; readonly messageID?: string } & Readonly<
  Record<string, unknown>
>;

export async function openDeliveryRig(options: DeliveryRigOptions = {}): Promise<DeliveryRig> {
  const stack = new AsyncDisposableStack();
  const lines: LogLine[] = [];
  const write = (line: string) => lines.push(JSON.parse(line));
  const log = createLog({ service: "test", level: "info", write });
  const sink = stack.use(await openSmtpSink());
  const sinks = [sink, ...(await openMoreSinks(options.moreSinks, stack))];
  const engines = await openEngines(options, stack, { log, sinks });
  const { eventLog } = engines;
  const pendingOutcomes = new PendingOutcomes({ ledger: engines.ledger, log });
  const deps = pipelineDeps(options, engines, { pendingOutcomes, log });
  const pipeline = createPipeline(deps);
  const deliverInBatches: DeliverInBatches = (listener) => new BatchDelivery(deps, listener);
  const names = await createNames(eventLog);
  const { eventsTopic, deadLetterTopic, group } = names;

  const startWorker = async (other: { readonly group?: string } = {}) => {
    const worker = new EmailWorker({
      ...engines,
      log,
      clock: systemClock,
      pipeline,
      deliverInBatches,
      pendingOutcomes,
      onOutcome: (outcome, event) => {
        options.onOutcome?.(outcome, event);
        if (isFinished(outcome) || outcome.kind === "dead_letter") options.onEnd?.(outcome.kind);
      },
      ...(options.onBuried === undefined ? {} : { onBuried: options.onBuried }),
      settings: {
        ...names,
        ...other,
        drainMs: 10_000,
        poisonMax: options.poisonMax ?? 0,
      },
      onFailed: (error) => {
        throw error;
      },
    });
    await worker.start();
    stack.defer(() => worker.stop());
    return worker;
  };
  const publishRecord = async (record: OutgoingRecord) => {
    await eventLog.publish(eventsTopic, [record], { deadlineMs: 10_000 });
  };
  return {
    ...engines,
    ...names,
    ...{ sink, sinks, pipeline, deliverInBatches, lines, startWorker, publishRecord },
    publishTogether: async (events) => {
      const records = events.map((event) => ({
        key: keyInPartition(0),
        value: encodeEmailEvent(event),
        headers: [],
      }));
      await eventLog.publish(eventsTopic, records, { deadlineMs: 10_000 });
    },
    publish: (event) =>
      publishRecord({ key: eventKey(event), value: encodeEmailEvent(event), headers: [] }),
    deadLetters: () => readDeadLetters(eventLog, deadLetterTopic),
    untilDrained: async (withinMs, other = group) => {
      const drained = async () => {
        const lag = await eventLog.lag(eventsTopic, other).catch((error: unknown) => {
          if (!isInstantError(error) || !error.retryable) throw error;
        });
        return lag?.every(({ records }) => records === 0);
      };
      await eventually("the group has finished everything", drained, withinMs);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** A key of its own, and so a lane, in this partition. */
function keyInPartition(partition: number): Uint8Array {
  for (;;) {
    const key = new TextEncoder().encode(crypto.randomUUID());
    if (partitionOfKey(key, partitions) === partition) return key;
  }
}

async function openMoreSinks(count = 0, stack: AsyncDisposableStack): Promise<SmtpSink[]> {
  const sinks = Array.from({ length: count }, () => openSmtpSink());
  return (await Promise.all(sinks)).map((sink) => stack.use(sink));
}

const partitions = 3;

/** Topics and a group of this test alone. */
async function createNames(eventLog: EventLog) {
  const name = `t${crypto.randomUUID().slice(0, 8)}`;
  const [eventsTopic, deadLetterTopic, group] = [`${name}-events`, `${name}-dlq`, `${name}-group`];
  const topics = { events: eventsTopic, deadLetters: deadLetterTopic, partitions };
  await eventLog.createTopics(topicSpecs({ ...topics, replicationFactor: 1 }), { grow: false });
  return { eventsTopic, deadLetterTopic, group };
}

/** Of the links in mails. */
const rigSecret = "a secret of the delivery rig, which is long enough";
export const rigOrigin = "https://sign-in.example.com";

interface RigEngines extends RecipientStores, RigLedger {
  readonly eventLog: EventLog;
  readonly mailer: MailServers;
}

const replyTimeoutMsDefault = 1000;

async function openEngines(
  options: DeliveryRigOptions,
  stack: AsyncDisposableStack,
  { log, sinks }: { readonly log: Log; readonly sinks: readonly SmtpSink[] },
): Promise<RigEngines> {
  const directory = stack.use(temporaryDirectory());
  const file = async (path: string) => stack.use(await openSqlite(join(directory.path, path)));
  const eventLog = stack.use(
    options.kafka === undefined
      ? await openSqliteEventLog(await file("events.sqlite"), { log })
      : await openKafkaEventLog({ connection: kafkaConnectionTo(options.kafka), log }),
  );
  const ledgers = await openRigLedger(options.redis, stack, () => file("state.sqlite"));
  const mailers = sinks.map(({ port }) =>
    openSmtpMailer({
      host: "127.0.0.1",
      port,
      tls: "none",
      connections: 10,
      connectTimeoutMs: 1000,
      greetingTimeoutMs: 1000,
      replyTimeoutMs: options.replyTimeoutMs ?? replyTimeoutMsDefault,
      ...(options.finalReplyTimeoutMs === undefined
        ? {}
        : { finalReplyTimeoutMs: options.finalReplyTimeoutMs }),
      from: "noreply@example.com",
    }),
  );
  const mailer = new MailServers({
    mailers,
    log,
    clock: systemClock,
    refusalsMax: options.refusalsMax ?? 0,
    pauses: options.outageRetryForMs !== 0,
  });
  const { preferences, suppressions } = await openRecipientStores(options.postgres, stack);
  return { eventLog, ...ledgers, mailer: stack.use(mailer), preferences, suppressions };
}

function pipelineDeps(
  options: DeliveryRigOptions,
  { ledger, mailer, preferences, suppressions }: RigEngines,
  { pendingOutcomes, log }: { readonly pendingOutcomes: PendingOutcomes; readonly log: Log },
): PipelineDeps {
  const clock = systemClock;
  return {
    ledger,
    mailer,
    log,
    clock,
    random: () => 0.5,
    gate: new RecipientGate({ preferences, suppressions, clock, log }),
    suppressRefused: createSuppressRefused({ suppressions, clock, log, suppressionMs: 86_400_000 }),
    leases: new Leases(ledger, clock, options.leaseMs ?? 2000),
    unsubscribeLink: createUnsubscribeLink({
      secret: rigSecret,
      clock,
      publicOrigin: rigOrigin,
    }),
    render: createMailRenderer({
      appName: "Acme",
      fallbackLocale: "en",
      codeInSubject: false,
    }),
    record: (claim, change) => pendingOutcomes.record(claim, change),
    feedbackSender: "acme-mails",
    settings: {
      outageRetryForMs: options.outageRetryForMs ?? 3_600_000,
      retryForMs: options.retryForMs ?? 3_600_000,
      digestSecret: "test secret",
      refusesLocalhost: options.refusesLocalhost ?? false,
      resendAmbiguous: new Set(options.resendAmbiguous ?? (["verification_code"] as const)),
    },
  };
}

async function readDeadLetters(eventLog: EventLog, topic: string): Promise<readonly DeadLetter[]> {
  const found: DeadLetter[] = [];
  for (const { partition, earliest, next } of await eventLog.offsets(topic)) {
    const records = eventLog.readRange({ topic, partition, from: earliest, to: next });
    for await (const record of records) found.push(readDeadLetter(record));
  }
  return found;
}

interface RigLedger {
  readonly ledger: DeliveryLedger;
  readonly recentMails: RecentMails;
}

const secrets = () => ({
  current: "a secret of the test, which is long enough",
  previous: undefined,
});

/** The ledger of a rig and the index beside it, on the Redis at `redis` or on a file. */
async function openRigLedger(
  redis: string | undefined,
  stack: AsyncDisposableStack,
  file: () => Promise<SqliteDatabase>,
): Promise<RigLedger> {
  if (redis === undefined) {
    const database = await file();
    const recentMails = await openSqliteRecentMails({ database, secrets });
    return {
      ledger: stack.use(await openSqliteDeliveryLedger({ database, recentMails })),
      recentMails,
    };
  }
  const { redis: client, keyPrefix } = stack.use(await openTestRedis(redis));
  const recentMails = openRedisRecentMails({ redis: client, keyPrefix, secrets });
  stack.defer(() => recentMails.settled());
  const ledger = stack.use(openRedisDeliveryLedger({ redis: client, keyPrefix, recentMails }));
  return { ledger, recentMails };
}
