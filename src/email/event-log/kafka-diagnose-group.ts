import type { Clock } from "../../core/clock.ts";
import type { Diagnosis } from "../../core/diagnosis.ts";
import { formatGoDuration } from "../../core/go-duration.ts";
import type { KafkaClient } from "../../core/kafka/client.ts";
import type { GroupView } from "../../core/kafka/cluster-view.ts";
import type { TopicAdmin } from "../../core/kafka/topic-admin.ts";
import type { KafkaDiagnosisOptions } from "./kafka-diagnosis-options.ts";
import { readKafkaLag } from "./kafka-lag.ts";

const lagMsWarn = 60_000;
const seeWhy = "Its /readyz says what it waits for; if it only has much to do, run more of them";

interface GroupQuestion {
  readonly options: KafkaDiagnosisOptions;
  readonly group: GroupView;
  readonly admin: TopicAdmin;
  readonly client: KafkaClient;
  readonly clock: Clock;
}

/** Whether somebody reads the events, and how far behind they are. */
export async function diagnoseGroup(
  { options, group, admin, client, clock }: GroupQuestion,
  diagnosis: Diagnosis,
): Promise<void> {
  const lag = await readKafkaLag({ admin, client, clock }, options.events.topic, options.group);
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
