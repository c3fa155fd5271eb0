import type { Diagnosis } from "../../../core/diagnosis.ts";
import { isInstantError } from "../../../core/errors.ts";
import type { Log } from "../../../core/log.ts";
import type { Clock } from "../../../core/time.ts";
import { formatGoDuration, systemClock } from "../../../core/time.ts";
import type { PartitionLag, TopicSpec } from "../event-log.ts";
import { eventLogErrors } from "../event-log.ts";
import type { KafkaPartitionReplicas, KafkaTopicSettings } from "./admin.ts";
import { AdminSession, GroupAdmin, TopicAdmin } from "./admin.ts";
import type { KafkaClient, KafkaConnection } from "./client.ts";
import { createKafkaClient, kafkaErrors } from "./client.ts";
import type { KafkaRight } from "./diagnose.ts";
import { diagnoseBrokers, findDeniedRights } from "./diagnose.ts";
import { readKafkaLag } from "./kafka.ts";
import { findOutOfRange } from "./subscription.ts";

/** Kafka counts the framing of a record towards the same limit. */
const framingBytes = 2048;
const headersBytes = 64 * 1024;
const replicasWanted = 3;
const lagMsWarn = 60_000;
const seeWhy = "Its /readyz names what it waits for; if it is only busy, run more instances";

/** The expected topics and group. */
interface KafkaDiagnosisOptions {
  readonly connection: KafkaConnection;
  readonly log: Log;
  readonly events: TopicSpec;
  readonly deadLetters: TopicSpec;
  readonly group: string;
  /** The shortest useful retention: codes have expired after that. */
  readonly retentionMsMin: number;
  /** How long mails wait for a server that is down. */
  readonly outageMs: number;
  /** An event that is read later than this is of no use. */
  readonly eventMsMax: number;
  /** The largest event there may be. */
  readonly eventBytesMax: number;
  /** Whether losing one disk must not lose mails. */
  readonly production: boolean;
  readonly clock?: Clock;
}

/** The brokers, the two topics, the group, and this user's rights on them. Changes nothing. */
export async function diagnoseKafkaEventLog(
  asked: KafkaDiagnosisOptions,
  diagnosis: Diagnosis,
): Promise<void> {
  const reached = await diagnoseBrokers(asked.connection, diagnosis, asked.clock);
  if (reached === undefined) return;
  const { brokers, connection } = reached;
  const options = { ...asked, connection };
  const { log, events, deadLetters } = options;
  const client = createKafkaClient({ connection, log, patience: "quick" });
  const session = new AdminSession(client);
  const admin = new TopicAdmin(session);
  try {
    const readable: TopicSpec[] = [];
    for (const spec of [events, deadLetters]) {
      if (await diagnoseTopic({ spec, brokers, admin, options }, diagnosis)) readable.push(spec);
    }
    const denied = await diagnoseRights(client, options, diagnosis);
    const mayReadEvents = !denied.some(
      ({ operation, name }) => operation === "Read" && name !== deadLetters.topic,
    );
    if (readable.includes(events) && mayReadEvents) {
      await diagnoseGroup({ options, admin, groups: new GroupAdmin(session), client }, diagnosis);
    }
    if (readable.includes(deadLetters)) {
      await diagnoseDeadLetters(admin, deadLetters.topic, diagnosis);
    }
  } finally {
    await session.close();
  }
}

interface TopicQuestion {
  readonly spec: TopicSpec;
  /** The number of brokers in the cluster. */
  readonly brokers: number;
  readonly admin: TopicAdmin;
  readonly options: KafkaDiagnosisOptions;
}

/** Whether the topic can be checked further: it exists and may be described. */
async function diagnoseTopic(question: TopicQuestion, diagnosis: Diagnosis): Promise<boolean> {
  const { spec, admin } = question;
  const partitions = await findPartitions(question, diagnosis);
  if (partitions === undefined) return false;
  const found = partitions.length;
  const size = `${found} ${found === 1 ? "partition" : "partitions"}`;
  if (found < spec.partitions) {
    const text = `${spec.topic} has ${size} instead of ${spec.partitions}`;
    diagnosis.warn("kafka.partitions", text, "./instant create-topics --grow");
  } else {
    diagnosis.ok("kafka.topic", `${spec.topic}: ${size}`);
  }
  const settings = await admin.settings(spec.topic);
  diagnoseReplicas(question, partitions, settings, diagnosis);
  if (settings === undefined) {
    const text = `The settings of ${spec.topic} may not be read, and are not checked`;
    const fix = `Allow DescribeConfigs on --topic ${spec.topic} (kafka-acls.sh), or check them yourself`;
    diagnosis.warn("kafka.settings", text, fix);
    return true;
  }
  diagnoseRetention(question, settings, diagnosis);
  diagnoseSize(question, settings, diagnosis);
  if (spec === question.options.deadLetters) await diagnoseFit(question, settings, diagnosis);
  return true;
}

async function findPartitions(
  { spec, admin }: TopicQuestion,
  diagnosis: Diagnosis,
): Promise<readonly KafkaPartitionReplicas[] | undefined> {
  try {
    return await admin.replicas(spec.topic);
  } catch (error) {
    if (isInstantError(error, kafkaErrors.accessDenied)) return undefined; // reported with its rights
    if (!isInstantError(error, eventLogErrors.topicMissing)) throw error;
    const text = `Topic does not exist: ${spec.topic}`;
    diagnosis.fault("kafka.topic", text, "./instant create-topics");
    return undefined;
  }
}

function diagnoseReplicas(
  { spec, brokers, options }: TopicQuestion,
  partitions: readonly KafkaPartitionReplicas[],
  settings: KafkaTopicSettings | undefined,
  diagnosis: Diagnosis,
): void {
  const replicas = Math.min(...partitions.map((each) => each.replicas));
  const inSync = Math.min(...partitions.map((each) => each.inSync));
  const inSyncMin = settings?.inSyncReplicasMin ?? 1;
  const { topic: name } = spec;
  const wanted = Math.max(spec.replicationFactor, Math.min(brokers, replicasWanted));
  if (inSyncMin > replicas) {
    const text = `${name} requires ${inSyncMin} replicas in sync and has ${replicas}: nothing can be published`;
    const fix = alter(options, name, `min.insync.replicas=${Math.max(1, replicas - 1)}`);
    diagnosis.fault("kafka.replicas", text, fix);
  } else if (inSync < inSyncMin) {
    const text = `${name} has ${inSync} of ${inSyncMin} replicas in sync: nothing can be published`;
    diagnosis.fault("kafka.replicas", text, "Start the brokers that are down");
  } else if (inSync < replicas) {
    const text = `${name} has ${inSync} of ${replicas} replicas in sync`;
    diagnosis.warn("kafka.replicas", text, "Check the broker that is down or behind");
  } else if (replicas < wanted || (options.production && replicas < 2)) {
    const text = `${name} has ${replicas} of ${Math.max(wanted, 2)} replicas: losing a broker loses its mails`;
    const fix =
      "kafka-reassign-partitions.sh adds replicas; KAFKA_REPLICATION_FACTOR is for new topics";
    diagnosis.warn("kafka.replicas", text, fix);
  } else if (replicas > 1 && settings !== undefined && inSyncMin < 2) {
    const text = `${name} acknowledges mails that only one of ${replicas} replicas has`;
    diagnosis.warn("kafka.replicas", text, alter(options, name, "min.insync.replicas=2"));
  }
}

function diagnoseRetention(
  { spec, options }: TopicQuestion,
  { retentionMs, compacted }: KafkaTopicSettings,
  diagnosis: Diagnosis,
): void {
  const { topic: name } = spec;
  if (compacted) {
    const text = `${name} is compacted: a newer mail to a recipient deletes the older one`;
    diagnosis.fault("kafka.retention", text, alter(options, name, "cleanup.policy=delete"));
  }
  if (retentionMs === undefined || retentionMs < 0) return;
  const kept = `${name} keeps records ${formatGoDuration(retentionMs)}`;
  const fix = alter(options, name, `retention.ms=${spec.retentionMs}`);
  const { retentionMsMin, outageMs } = options;
  if (retentionMs < retentionMsMin) {
    const text = `${kept}, and codes live ${formatGoDuration(retentionMsMin)}: they may be deleted unsent`;
    diagnosis.fault("kafka.retention", text, fix);
  } else if (retentionMs < outageMs) {
    const text = `${kept}, and an outage may last ${formatGoDuration(outageMs)}`;
    diagnosis.warn("kafka.retention", text, fix);
  } else if (retentionMs < spec.retentionMs) {
    const text = `${kept} instead of ${formatGoDuration(spec.retentionMs)}`;
    diagnosis.warn("kafka.retention", text, fix);
  }
}

function diagnoseSize(
  { spec, options }: TopicQuestion,
  { recordBytesMax }: KafkaTopicSettings,
  diagnosis: Diagnosis,
): void {
  if (recordBytesMax === undefined) return;
  const isDeadLetters = spec === options.deadLetters;
  const needed = options.eventBytesMax + framingBytes + (isDeadLetters ? headersBytes : 0);
  if (recordBytesMax >= spec.recordBytesMax) return;
  const text = `${spec.topic} takes records up to ${recordBytesMax} bytes`;
  const fix = alter(options, spec.topic, `max.message.bytes=${spec.recordBytesMax}`);
  if (recordBytesMax < needed) {
    const what = isDeadLetters
      ? "a large dead letter would keep only its first 64 KiB"
      : "events are larger";
    diagnosis.fault("kafka.record_size", `${text}: ${what}`, fix);
  } else {
    diagnosis.warn("kafka.record_size", `${text} instead of ${spec.recordBytesMax}`, fix);
  }
}

/** Whether the largest record of the events' topic fits as a dead letter. */
async function diagnoseFit(
  { spec, admin, options }: TopicQuestion,
  { recordBytesMax }: KafkaTopicSettings,
  diagnosis: Diagnosis,
): Promise<void> {
  if (recordBytesMax === undefined || recordBytesMax < spec.recordBytesMax) return; // reported before
  const events = options.events.topic;
  const eventsMax = (await admin.settings(events))?.recordBytesMax;
  if (eventsMax === undefined || eventsMax + headersBytes <= recordBytesMax) return;
  const text = `${spec.topic} takes records up to ${recordBytesMax} bytes and ${events} up to ${eventsMax}: a larger dead letter keeps only its first 64 KiB`;
  const fix = alter(options, spec.topic, `max.message.bytes=${eventsMax + headersBytes}`);
  diagnosis.warn("kafka.record_size", text, fix);
}

function alter({ connection }: KafkaDiagnosisOptions, topic: string, setting: string): string {
  const place = `--bootstrap-server ${connection.brokers[0]}`;
  return `kafka-configs.sh ${place} --alter --entity-type topics --entity-name ${topic} --add-config ${setting}`;
}

/**
 * The rights that serve-auth, serve-email and replay-dlq need, by the names of Kafka's ACLs.
 * Returns the denied ones.
 */
async function diagnoseRights(
  client: KafkaClient,
  { events, deadLetters, group, connection }: KafkaDiagnosisOptions,
  diagnosis: Diagnosis,
): Promise<readonly KafkaRight[]> {
  // Read and Write both imply Describe.
  const rights: readonly KafkaRight[] = [
    { operation: "Read", resource: "topic", name: events.topic },
    { operation: "Write", resource: "topic", name: events.topic },
    { operation: "Read", resource: "topic", name: deadLetters.topic },
    { operation: "Write", resource: "topic", name: deadLetters.topic },
    { operation: "Read", resource: "group", name: group, topic: events.topic },
  ];
  const denied = await findDeniedRights(client, rights);
  const user = connection.sasl?.username ?? "<user>";
  for (const { operation, resource, name } of denied) {
    const fix = `kafka-acls.sh --bootstrap-server ${connection.brokers[0]} --add --allow-principal User:${user} --operation ${operation} --${resource} ${name}`;
    diagnosis.fault("kafka.rights", `This user may not ${operation} the ${resource} ${name}`, fix);
  }
  if (denied.length === 0) {
    diagnosis.ok("kafka.rights", "May read and write both topics, and join the group");
  }
  return denied;
}

interface GroupQuestion {
  readonly options: KafkaDiagnosisOptions;
  readonly admin: TopicAdmin;
  readonly groups: GroupAdmin;
  readonly client: KafkaClient;
}

/** Whether the group's offsets are on the log, what cannot be read yet, its members and lag. */
async function diagnoseGroup(
  { options, admin, groups, client }: GroupQuestion,
  diagnosis: Diagnosis,
): Promise<void> {
  const { events, group, connection, clock = systemClock } = options;
  const place = { brokers: connection.brokers, topic: events.topic, group };
  const outOfRange = await findOutOfRange(admin, place);
  if (outOfRange !== undefined) {
    const text = `${group} cannot continue, and serve-email exits at startup: ${outOfRange.places.join("; ")}`;
    diagnosis.fault("kafka.offset", text, `Stop every serve-email, then: ${outOfRange.fix}`);
  }
  const members = (await groups.members(group)).length;
  const lag = await readKafkaLag({ admin, groups, client, clock }, events.topic, group);
  for (const partition of lag) diagnoseTransaction(partition, options, diagnosis);
  const records = lag.reduce((sum, each) => sum + each.records, 0);
  const ageMs = Math.round(Math.max(0, ...lag.map(({ seconds }) => seconds))) * 1000;
  const readers = `${members} serve-email ${members === 1 ? "reads" : "read"} the events`;
  if (records === 0) {
    const text =
      members === 0
        ? "No serve-email is running; no events are waiting"
        : `${readers}; no events are waiting`;
    diagnosis.ok("kafka.lag", text);
    return;
  }
  const waiting = `${records} ${records === 1 ? "event waits" : "events wait"}, the oldest ${formatGoDuration(ageMs)}`;
  if (members === 0) {
    const text = `No serve-email reads the events as ${group}, and ${waiting}`;
    diagnosis.fault("kafka.lag", text, "Start it: ./instant serve-email");
  } else if (ageMs > options.eventMsMax) {
    const text = `${readers}, and ${waiting}: codes expire before they are sent`;
    diagnosis.fault("kafka.lag", text, seeWhy);
  } else if (ageMs > lagMsWarn) {
    diagnosis.warn("kafka.lag", `${readers}, and ${waiting}`, seeWhy);
  } else {
    diagnosis.ok("kafka.lag", `${readers}; ${waiting}`);
  }
}

/**
 * A transaction that is open for long was abandoned by its producer: Kafka ends others after a
 * minute.
 */
function diagnoseTransaction(
  { partition, openTransaction }: PartitionLag,
  { connection, events, eventMsMax }: KafkaDiagnosisOptions,
  diagnosis: Diagnosis,
): void {
  if (openTransaction === undefined) return;
  const { offset, records, seconds } = openTransaction;
  const ageMs = Math.round(seconds) * 1000;
  if (ageMs <= lagMsWarn) return;
  const text = `A transaction that began at offset ${offset} of ${events.topic}, partition ${partition}, has been open for ${formatGoDuration(ageMs)}: up to ${records} ${records === 1 ? "event" : "events"} behind it cannot be read yet`;
  const tool = `kafka-transactions.sh --bootstrap-server ${connection.brokers[0]}`;
  const at = `--topic ${events.topic} --partition ${partition}`;
  const fix = `Find its producer: ${tool} describe-producers ${at}; if that producer is gone: ${tool} abort ${at} --start-offset ${offset}`;
  if (ageMs > eventMsMax) diagnosis.fault("kafka.transaction", text, fix);
  else diagnosis.warn("kafka.transaction", text, fix);
}

async function diagnoseDeadLetters(
  admin: TopicAdmin,
  topic: string,
  diagnosis: Diagnosis,
): Promise<void> {
  const offsets = await admin.offsets(topic);
  const deadLetters = offsets.reduce((sum, { earliest, next }) => sum + next - earliest, 0);
  if (deadLetters === 0) {
    diagnosis.ok("kafka.dead_letters", "No dead letters");
    return;
  }
  const text = `${deadLetters} dead ${deadLetters === 1 ? "letter" : "letters"} in ${topic} (including replayed ones)`;
  const fix = "See why: ./instant replay-dlq --from-offset --dry-run";
  diagnosis.warn("kafka.dead_letters", text, fix);
}
