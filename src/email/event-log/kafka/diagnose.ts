import { readFileSync } from "node:fs";
import type { Diagnosis } from "../../../core/diagnosis.ts";
import { diagnoseExpiry } from "../../../core/diagnosis.ts";
import { isInstantError } from "../../../core/errors.ts";
import type { Clock } from "../../../core/time.ts";
import { systemClock } from "../../../core/time.ts";
import type { KafkaClient, KafkaConnection } from "./client.ts";
import type { ClusterView } from "./cluster-view.ts";
import { metadataVersion, viewTopics } from "./cluster-view.ts";
import { kafkaErrors } from "./errors.ts";
import type { BrokerAddress, BrokerApis, Knock } from "./knock.ts";
import { knock } from "./knock.ts";
import { describeKnock } from "./knock-failure.ts";

const knockTimeoutMs = 3000;
const brokersMax = 20;

interface BrokerQuestions {
  readonly connection: KafkaConnection;
  /** Used to log in, once a broker answered. */
  readonly client: KafkaClient;
  readonly topics: readonly string[];
  readonly clock?: Clock;
}

/**
 * Knocks at every broker of KAFKA_BROKERS, logs in, and knocks at every broker that the cluster
 * names: clients are sent on to those. Undefined when nobody can be asked further.
 */
export async function diagnoseBrokers(
  questions: BrokerQuestions,
  diagnosis: Diagnosis,
): Promise<ClusterView | undefined> {
  const { connection, clock = systemClock } = questions;
  const addresses = connection.brokers.map(parseBroker).slice(0, brokersMax);
  const ca = connection.caFile === undefined ? undefined : readFileSync(connection.caFile, "utf8");
  const ask = (address: BrokerAddress) =>
    knock(address, { ssl: connection.ssl, ca, timeoutMs: knockTimeoutMs });
  const knocks = await Promise.all(addresses.map(ask));
  const opened = reportKnocks(diagnosis, connection, addresses, knocks);
  if (opened === undefined) return undefined;
  reportVersion(diagnosis, opened.apis);
  if (opened.expiresAt !== undefined) {
    const { expiresAt } = opened;
    diagnoseExpiry(diagnosis, "kafka.certificate", { expiresAt, whose: "the broker", clock });
  }
  if ((opened.apis.get(3)?.max ?? 0) < metadataVersion) return undefined; // said by its version
  const view = await logIn(questions, diagnosis);
  if (view === undefined) return undefined;
  const known = new Set(addresses.map(formatBroker));
  const others = view.brokers.filter((broker) => !known.has(formatBroker(broker)));
  const further = await Promise.all(others.slice(0, brokersMax).map(ask));
  return reportAdvertised(diagnosis, others, further) ? view : undefined;
}

type OpenedKnock = Extract<Knock, { kind: "broker" }>;

function reportKnocks(
  diagnosis: Diagnosis,
  connection: KafkaConnection,
  addresses: readonly BrokerAddress[],
  knocks: readonly Knock[],
): OpenedKnock | undefined {
  const opened = knocks.find((answer) => answer.kind === "broker");
  for (const [index, answer] of knocks.entries()) {
    const address = addresses[index];
    if (answer.kind === "broker" || address === undefined) continue;
    const { text, mend } = describeKnock(answer, address, connection);
    // With another broker to start from, all works as long as that one stays.
    if (opened === undefined) diagnosis.fault("kafka.reachable", text, mend);
    else diagnosis.warn("kafka.reachable", text, mend);
  }
  return opened;
}

function reportVersion(diagnosis: Diagnosis, apis: BrokerApis): void {
  const speaksMetadata = (apis.get(3)?.max ?? 0) >= metadataVersion;
  if (speaksMetadata) {
    diagnosis.ok("kafka.reachable", `Answers: Kafka ${versionOf(apis)}`);
    return;
  }
  const text = "It answers, but it is older than Kafka 2.3, and its topics are not looked at";
  diagnosis.warn("kafka.version", text, "Upgrade it: the program is tested with Kafka 4");
}

/** A broker does not tell its version, but releases added and dropped what it speaks. */
function versionOf(apis: BrokerApis): string {
  const [fetch, describeTransactions] = [apis.get(1), apis.get(65)];
  if ((fetch?.min ?? 0) >= 4) return "4";
  return describeTransactions === undefined ? "2" : "3";
}

async function logIn(questions: BrokerQuestions, diagnosis: Diagnosis) {
  const { client, connection, topics } = questions;
  try {
    const view = await viewTopics(client, topics);
    const { sasl } = connection;
    if (sasl !== undefined) diagnosis.ok("kafka.login", `Logged in by ${sasl.mechanism}`);
    return view;
  } catch (error) {
    if (!isInstantError(error)) throw error;
    const reason = error.detail ?? error.message;
    if (error.row === kafkaErrors.accessDenied) {
      diagnosis.fault("kafka.login", `The login was refused (${reason})`, loginMend(reason));
    } else {
      const mend =
        connection.sasl === undefined
          ? "It may want a login: set KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD"
          : "Look at the broker's log: it opens its port, and then answers nothing";
      diagnosis.fault("kafka.login", `It gives no answer about its topics (${reason})`, mend);
    }
    return undefined;
  }
}

function loginMend(reason: string): string {
  return /SASL state/.test(reason)
    ? "This port takes no login: set KAFKA_SASL_MECHANISM=none, or use the port that does"
    : "Check KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD and KAFKA_SASL_MECHANISM";
}

/** Whether at least one broker that the cluster names can be reached, or there are no others. */
function reportAdvertised(
  diagnosis: Diagnosis,
  addresses: readonly BrokerAddress[],
  knocks: readonly Knock[],
): boolean {
  let away = 0;
  for (const [index, answer] of knocks.entries()) {
    const address = addresses[index];
    if (answer.kind === "broker" || address === undefined) continue;
    away += 1;
    const text = `The cluster sends clients to ${formatBroker(address)}, where nobody answers`;
    const mend =
      "Set advertised.listeners of that broker to an address that this machine can reach, or start it";
    diagnosis.fault("kafka.advertised", text, mend);
  }
  return away === 0 || away < addresses.length;
}

function parseBroker(broker: string): BrokerAddress {
  const colon = broker.lastIndexOf(":");
  return { host: broker.slice(0, colon), port: Number(broker.slice(colon + 1)) };
}

function formatBroker({ host, port }: BrokerAddress): string {
  return `${host}:${port}`;
}
