import type { Diagnosis } from "../../../core/diagnosis.ts";
import { systemClock } from "../../../core/time.ts";
import { GroupAdmin, TopicAdmin } from "./admin.ts";
import { AdminSession } from "./admin-session.ts";
import { createKafkaClient } from "./client.ts";
import type { GroupView, TopicView } from "./cluster-view.ts";
import { viewGroup } from "./cluster-view.ts";
import { diagnoseBrokers } from "./diagnose.ts";
import { diagnoseGroup } from "./kafka-diagnose-group.ts";
import { diagnoseTopic } from "./kafka-diagnose-topic.ts";
import type { KafkaDiagnosisOptions } from "./kafka-diagnosis-options.ts";

/** The brokers, the two topics, the group, and what this user may do with them. Changes nothing. */
export async function diagnoseKafkaEventLog(
  options: KafkaDiagnosisOptions,
  diagnosis: Diagnosis,
): Promise<void> {
  const { connection, log, events, deadLetters, group, clock = systemClock } = options;
  const client = createKafkaClient({ connection, log, patience: "quick" });
  const topics = [events.topic, deadLetters.topic];
  const view = await diagnoseBrokers({ connection, client, topics, clock }, diagnosis);
  if (view === undefined) return;
  const groupView = await viewGroup(client, group);
  const session = new AdminSession(client);
  const admin = new TopicAdmin(session);
  const groups = new GroupAdmin(session);
  const brokers = view.brokers.length;
  try {
    for (const spec of [events, deadLetters]) {
      const topic = view.topics.get(spec.topic);
      if (topic === undefined) continue;
      await diagnoseTopic({ spec, topic, brokers, admin, options }, diagnosis);
    }
    diagnoseRights({ topics: view.topics, group: groupView }, options, diagnosis);
    if (exists(view.topics.get(events.topic)) && !groupView.denied) {
      const question = { options, group: groupView, admin, groups, client, clock };
      await diagnoseGroup(question, diagnosis);
    }
    if (exists(view.topics.get(deadLetters.topic))) {
      await diagnoseLetters(admin, deadLetters.topic, diagnosis);
    }
  } finally {
    await session.close();
  }
}

function exists(topic: TopicView | undefined): boolean {
  return topic !== undefined && topic.partitions.length > 0;
}

async function diagnoseLetters(
  admin: TopicAdmin,
  topic: string,
  diagnosis: Diagnosis,
): Promise<void> {
  const offsets = await admin.offsets(topic);
  const letters = offsets.reduce((sum, { earliest, next }) => sum + next - earliest, 0);
  if (letters === 0) {
    diagnosis.ok("kafka.dead_letters", "No dead letters");
    return;
  }
  const text = `${letters} dead ${letters === 1 ? "letter stands" : "letters stand"} in ${topic} (replayed ones too)`;
  const mend = "See why: ./instant replay-dlq --from-offset --dry-run";
  diagnosis.warn("kafka.dead_letters", text, mend);
}

/** What serve-auth, serve-email and replay-dlq do, as Kafka's ACLs name it. */
function diagnoseRights(
  view: { readonly topics: ReadonlyMap<string, TopicView>; readonly group: GroupView },
  { events, deadLetters, group, connection }: KafkaDiagnosisOptions,
  diagnosis: Diagnosis,
): void {
  const wanted = ["Read", "Write"] as const; // each grants Describe too
  const denials: { readonly operation: string; readonly resource: string }[] = [];
  for (const { topic } of [events, deadLetters]) {
    const { denied = false, rights } = view.topics.get(topic) ?? {};
    for (const operation of wanted) {
      if (denied || rights?.has(operation) === false) {
        denials.push({ operation, resource: `--topic ${topic}` });
      }
    }
  }
  const mayRead = view.group.rights?.has("Read") ?? true;
  if (view.group.denied || !mayRead) {
    denials.push({ operation: "Read", resource: `--group ${group}` });
  }
  const user = connection.sasl?.username ?? "<user>";
  for (const { operation, resource } of denials) {
    const what = resource.replace("--", "");
    const mend = `kafka-acls.sh --bootstrap-server ${connection.brokers[0]} --add --allow-principal User:${user} --operation ${operation} ${resource}`;
    diagnosis.fault("kafka.rights", `This user may not ${operation} the ${what}`, mend);
  }
  if (denials.length === 0) {
    diagnosis.ok("kafka.rights", "May read and write both topics, and join the group");
  }
}
