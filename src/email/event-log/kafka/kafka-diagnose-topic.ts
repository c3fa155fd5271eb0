import type { Diagnosis } from "../../../core/diagnosis.ts";
import { formatGoDuration } from "../../../core/time.ts";
import type { TopicSpec } from "../event-log.ts";
import type { KafkaTopicSettings, TopicAdmin } from "./admin.ts";
import type { TopicView } from "./cluster-view.ts";
import type { KafkaDiagnosisOptions } from "./kafka-diagnosis-options.ts";

/** Kafka takes the framing of a record from the same number. */
const framingBytes = 2048;
const headersBytes = 64 * 1024;
const replicasWanted = 3;

interface TopicQuestion {
  readonly spec: TopicSpec;
  readonly topic: TopicView;
  readonly brokers: number;
  readonly admin: TopicAdmin;
  readonly options: KafkaDiagnosisOptions;
}

export async function diagnoseTopic(question: TopicQuestion, diagnosis: Diagnosis): Promise<void> {
  const { spec, topic, admin } = question;
  if (topic.denied) return; // said by its rights
  const found = topic.partitions.length;
  if (found === 0) {
    const text = `Topic does not exist: ${spec.topic}`;
    diagnosis.fault("kafka.topic", text, "./instant create-topics");
    return;
  }
  const size = `${found} ${found === 1 ? "partition" : "partitions"}`;
  if (found < spec.partitions) {
    const text = `${spec.topic} has ${size} instead of ${spec.partitions}`;
    diagnosis.warn("kafka.partitions", text, "./instant create-topics --grow");
  } else {
    diagnosis.ok("kafka.topic", `${spec.topic}: ${size}`);
  }
  const settings = await admin.settings(spec.topic);
  if (settings === undefined) {
    const text = `The settings of ${spec.topic} may not be read, and are not checked`;
    const mend = `Allow DescribeConfigs on --topic ${spec.topic} (kafka-acls.sh), or check them yourself`;
    diagnosis.warn("kafka.settings", text, mend);
  }
  diagnoseReplicas(question, settings, diagnosis);
  if (settings === undefined) return;
  diagnoseRetention(question, settings, diagnosis);
  diagnoseSize(question, settings, diagnosis);
  if (spec === question.options.deadLetters) await diagnoseRoom(question, settings, diagnosis);
}

function diagnoseReplicas(
  { spec, topic, brokers, options }: TopicQuestion,
  settings: KafkaTopicSettings | undefined,
  diagnosis: Diagnosis,
): void {
  const least = (read: (partition: TopicView["partitions"][number]) => number) =>
    Math.min(...topic.partitions.map(read));
  const [replicas, inSync] = [least((each) => each.replicas), least((each) => each.inSync)];
  const inSyncMin = settings?.inSyncReplicasMin ?? 1;
  const { topic: name } = spec;
  const wanted = Math.max(spec.replicationFactor, Math.min(brokers, replicasWanted));
  if (topic.partitions.some(({ leader }) => leader < 0)) {
    const text = `${name} has a partition without a leader`;
    diagnosis.fault("kafka.replicas", text, "Start the brokers that hold it");
  } else if (inSyncMin > replicas) {
    const text = `${name} wants ${inSyncMin} replicas in sync and has ${replicas}: nothing can be published`;
    const mend = alter(options, name, `min.insync.replicas=${Math.max(1, replicas - 1)}`);
    diagnosis.fault("kafka.replicas", text, mend);
  } else if (inSync < inSyncMin) {
    const text = `${name} has ${inSync} of ${inSyncMin} replicas in sync: nothing can be published`;
    diagnosis.fault("kafka.replicas", text, "Start the brokers that are away");
  } else if (inSync < replicas) {
    const text = `${name} has ${inSync} of ${replicas} replicas in sync`;
    diagnosis.warn("kafka.replicas", text, "Look at the broker that is away or behind");
  } else if (replicas < wanted || (options.production && replicas < 2)) {
    const text = `${name} has ${replicas} of ${Math.max(wanted, 2)} replicas: a broker that is lost takes its mails with it`;
    const mend =
      "kafka-reassign-partitions.sh adds replicas; KAFKA_REPLICATION_FACTOR is for new topics";
    diagnosis.warn("kafka.replicas", text, mend);
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
    const text = `${name} is compacted: a newer mail to somebody deletes the older one`;
    diagnosis.fault("kafka.retention", text, alter(options, name, "cleanup.policy=delete"));
  }
  if (retentionMs === undefined || retentionMs < 0) return;
  const kept = `${name} keeps records ${formatGoDuration(retentionMs)}`;
  const mend = alter(options, name, `retention.ms=${spec.retentionMs}`);
  const { retentionMsMin, outageMs } = options;
  if (retentionMs < retentionMsMin) {
    const text = `${kept}, and codes live ${formatGoDuration(retentionMsMin)}: they may be deleted unsent`;
    diagnosis.fault("kafka.retention", text, mend);
  } else if (retentionMs < outageMs) {
    const text = `${kept}, and an outage may last ${formatGoDuration(outageMs)}`;
    diagnosis.warn("kafka.retention", text, mend);
  } else if (retentionMs < spec.retentionMs) {
    const text = `${kept} instead of ${formatGoDuration(spec.retentionMs)}`;
    diagnosis.warn("kafka.retention", text, mend);
  }
}

function diagnoseSize(
  { spec, options }: TopicQuestion,
  { recordBytesMax }: KafkaTopicSettings,
  diagnosis: Diagnosis,
): void {
  if (recordBytesMax === undefined) return;
  const isLetters = spec === options.deadLetters;
  const needed = options.eventBytesMax + framingBytes + (isLetters ? headersBytes : 0);
  if (recordBytesMax >= spec.recordBytesMax) return;
  const text = `${spec.topic} takes records up to ${recordBytesMax} bytes`;
  const mend = alter(options, spec.topic, `max.message.bytes=${spec.recordBytesMax}`);
  if (recordBytesMax < needed) {
    const what = isLetters
      ? "a large dead letter would keep only its first 64 KiB"
      : "events are larger";
    diagnosis.fault("kafka.record_size", `${text}: ${what}`, mend);
  } else {
    diagnosis.warn("kafka.record_size", `${text} instead of ${spec.recordBytesMax}`, mend);
  }
}

/** Whether the largest record of the events' topic fits as a dead letter. */
async function diagnoseRoom(
  { spec, admin, options }: TopicQuestion,
  { recordBytesMax }: KafkaTopicSettings,
  diagnosis: Diagnosis,
): Promise<void> {
  if (recordBytesMax === undefined || recordBytesMax < spec.recordBytesMax) return; // said before
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
