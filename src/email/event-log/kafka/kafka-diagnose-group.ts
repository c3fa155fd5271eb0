import type { Diagnosis } from "../../../core/diagnosis.ts";
import type { Clock } from "../../../core/time.ts";
import { formatGoDuration } from "../../../core/time.ts";
import type { PartitionLag } from "../event-log.ts";
import type { GroupAdmin, TopicAdmin } from "./admin.ts";
import type { KafkaClient } from "./client.ts";
import type { GroupView } from "./cluster-view.ts";
import type { KafkaDiagnosisOptions } from "./kafka-diagnosis-options.ts";
import { readKafkaLag } from "./lag.ts";
import { findOutOfRange } from "./subscription.ts";

const lagMsWarn = 60_000;
const seeWhy = "Its /readyz says what it waits for; if it only has much to do, run more of them";

interface GroupQuestion {
  readonly options: KafkaDiagnosisOptions;
  readonly group: GroupView;
  readonly admin: TopicAdmin;
  readonly groups: GroupAdmin;
  readonly client: KafkaClient;
  readonly clock: Clock;
}

/** Whether the group's offsets are on the log, what cannot be read yet, who reads, how far behind. */
export async function diagnoseGroup(
  { options, group, admin, groups, client, clock }: GroupQuestion,
  diagnosis: Diagnosis,
): Promise<void> {
  const { events, group: name, connection } = options;
  const place = { brokers: connection.brokers, topic: events.topic, group: name };
  const outOfRange = await findOutOfRange(admin, place);
  if (outOfRange !== undefined) {
    const text = `${name} cannot go on, serve-email ends as it starts: ${outOfRange.places.join("; ")}`;
    diagnosis.fault("kafka.offset", text, `Stop every serve-email, then: ${outOfRange.fix}`);
  }
  const lag = await readKafkaLag({ admin, groups, client, clock }, events.topic, name);
  for (const partition of lag) diagnoseTransaction(partition, options, diagnosis);
  const records = lag.reduce((sum, each) => sum + each.records, 0);
  const ageMs = Math.round(Math.max(0, ...lag.map(({ seconds }) => seconds))) * 1000;
  const { members } = group;
  const readers = `${members} serve-email ${members === 1 ? "reads" : "read"} the events`;
  if (records === 0) {
    const text = members === 0 ? "No serve-email runs; no event waits" : `${readers}; none waits`;
    diagnosis.ok("kafka.lag", text);
    return;
  }
  const waiting = `${records} ${records === 1 ? "event waits" : "events wait"}, the oldest ${formatGoDuration(ageMs)}`;
  if (members === 0) {
    const text = `No serve-email reads the events as ${options.group}, and ${waiting}`;
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

/** A transaction that is open for long was left by its producer: Kafka ends others after a minute. */
function diagnoseTransaction(
  { partition, openTransaction }: PartitionLag,
  { connection, events, eventMsMax }: KafkaDiagnosisOptions,
  diagnosis: Diagnosis,
): void {
  if (openTransaction === undefined) return;
  const { offset, records, seconds } = openTransaction;
  const ageMs = Math.round(seconds) * 1000;
  if (ageMs <= lagMsWarn) return;
  const text = `A transaction that began at offset ${offset} of ${events.topic}, partition ${partition}, is open for ${formatGoDuration(ageMs)}: up to ${records} ${records === 1 ? "event" : "events"} behind it cannot be read yet`;
  const tool = `kafka-transactions.sh --bootstrap-server ${connection.brokers[0]}`;
  const at = `--topic ${events.topic} --partition ${partition}`;
  const fix = `See whose it is: ${tool} describe-producers ${at}; if that producer is gone: ${tool} abort ${at} --start-offset ${offset}`;
  if (ageMs > eventMsMax) diagnosis.fault("kafka.transaction", text, fix);
  else diagnosis.warn("kafka.transaction", text, fix);
}
