// Doctor's probe of the brokers, and of the rights on topics and group.
import type { Socket } from "node:net";
import net from "node:net";
import tls from "node:tls";
import type { Broker, ISocketFactory } from "kafkajs";
import type { Diagnosis } from "../../../core/diagnosis.ts";
import { diagnoseExpiry, readExpiry } from "../../../core/diagnosis.ts";
import type { InstantError } from "../../../core/errors.ts";
import { errorMessage, unreachable } from "../../../core/errors.ts";
import { silentLog } from "../../../core/log.ts";
import { systemClock } from "../../../core/time.ts";
import { AdminSession } from "./admin.ts";
import type { KafkaClient, KafkaConnection } from "./client.ts";
import {
  classifyKafkaError,
  createKafkaClient,
  describeUnreachable,
  innermostError,
  isSettling,
  kafkaErrors,
} from "./client.ts";

const brokersMax = 20;

/** What is needed for further checks of a cluster. */
interface ReachedCluster {
  /** Starts from the brokers that answered. */
  readonly connection: KafkaConnection;
  readonly brokers: number;
}

/**
 * Connects to every broker of KAFKA_BROKERS and logs in, then to every broker that the cluster
 * advertises, because clients are redirected to those. Undefined when a fault ends the diagnosis
 * here.
 */
export async function diagnoseBrokers(
  connection: KafkaConnection,
  diagnosis: Diagnosis,
  clock = systemClock,
): Promise<ReachedCluster | undefined> {
  const configured = connection.brokers.slice(0, brokersMax);
  const probes = await probeAll(connection, configured);
  const answering = probes.filter(({ probe }) => probe.kind === "broker");
  for (const { broker, probe } of probes) {
    if (probe.kind === "broker") continue;
    const check = probe.kind === "refused" ? "kafka.login" : "kafka.reachable";
    const { text, fix } = describeProbe(probe, broker, connection);
    // With another bootstrap broker everything works as long as that one is up.
    if (answering.length === 0) diagnosis.fault(check, text, fix);
    else diagnosis.warn(check, text, fix);
  }
  const first = answering[0]?.probe;
  if (first?.kind !== "broker") return undefined;
  diagnosis.ok("kafka.reachable", `Answers within ${first.tookMs} ms`);
  if (first.expiresAt !== undefined) {
    const { expiresAt } = first;
    diagnoseExpiry(diagnosis, "kafka.certificate", { expiresAt, whose: "the broker", clock });
  }
  const reached = { ...connection, brokers: answering.map(({ broker }) => broker) };
  const named = await findNamedBrokers(reached, diagnosis);
  if (named === undefined) return undefined;
  const { sasl } = connection;
  if (sasl !== undefined) diagnosis.ok("kafka.login", `Logged in by ${sasl.mechanism}`);
  const others = named.filter((broker) => !configured.includes(broker)).slice(0, brokersMax);
  const lost = (await probeAll(connection, others)).filter(({ probe }) => probe.kind !== "broker");
  for (const { broker } of lost) reportAdvertised(broker, diagnosis);
  return lost.length === 0 ? { connection: reached, brokers: named.length } : undefined;
}

/** The addresses that the cluster advertises; undefined when it does not answer. */
async function findNamedBrokers(
  connection: KafkaConnection,
  diagnosis: Diagnosis,
): Promise<readonly string[] | undefined> {
  const seen: SeenSocket = {};
  const session = new AdminSession(createProbeClient(connection, seen));
  try {
    const { brokers } = await session.call("asking for the brokers", (admin) =>
      admin.describeCluster(),
    );
    return brokers.map(({ host, port }) => `${host}:${port}`);
  } catch (error) {
    if (isSettling(error)) {
      // kafkajs also requests all topics, and returns nothing about the cluster while one has no
      // leader.
      const text = "A topic of this cluster has a partition without a leader";
      const fix = `Start the brokers that have its replicas: kafka-topics.sh --bootstrap-server ${connection.brokers[0]} --describe --unavailable-partitions`;
      diagnosis.fault("kafka.replicas", text, fix);
    } else if (seen.broker !== undefined && !connection.brokers.includes(seen.broker)) {
      // kafkajs asked one of the advertised brokers, and failed there.
      reportAdvertised(seen.broker, diagnosis);
    } else {
      const { text, fix } = describeRefusal(classifyKafkaError(error), "It", connection);
      diagnosis.fault("kafka.login", text, fix);
    }
    return undefined;
  } finally {
    await session.close();
  }
}

function reportAdvertised(broker: string, diagnosis: Diagnosis): void {
  const text = `The cluster sends clients to ${broker}, where no broker answers`;
  const fix =
    "Set advertised.listeners of that broker to an address that this machine can reach, or start it";
  diagnosis.fault("kafka.advertised", text, fix);
}

/** The result of probing an address. */
type Probe =
  | { readonly kind: "broker"; readonly tookMs: number; readonly expiresAt: number | undefined }
  /** A broker that rejected the login, or did not answer it. */
  | { readonly kind: "refused"; readonly error: InstantError }
  | { readonly kind: "untrusted"; readonly code: string }
  | { readonly kind: "speaks_tls" }
  | { readonly kind: "speaks_no_tls" }
  | { readonly kind: "not_kafka" }
  /** No answer; `code` is the socket's ("ECONNREFUSED"), or empty. */
  | { readonly kind: "unreachable"; readonly code: string; readonly reason: string };

async function probeAll(connection: KafkaConnection, brokers: readonly string[]) {
  return await Promise.all(
    brokers.map(async (broker) => ({ broker, probe: await probeBroker(connection, broker) })),
  );
}

/**
 * Lets kafkajs connect to one address and log in, and watches its socket, because its errors do not
 * show what answers instead of a broker. Within 3 s each for the connection and for every answer.
 */
async function probeBroker(connection: KafkaConnection, broker: string): Promise<Probe> {
  const seen: SeenSocket = {};
  const admin = createProbeClient({ ...connection, brokers: [broker] }, seen).admin();
  let isKafka = false;
  admin.on(admin.events.REQUEST, () => {
    isKafka = true; // kafkajs understood an answer
  });
  const startedAt = performance.now();
  try {
    await admin.connect();
    const tookMs = Math.round(performance.now() - startedAt);
    const { socket } = seen;
    const expiresAt = socket instanceof tls.TLSSocket ? readExpiry(socket) : undefined;
    return { kind: "broker", tookMs, expiresAt };
  } catch (error) {
    return isKafka
      ? { kind: "refused", error: classifyKafkaError(error) }
      : classifyProbe(innermostError(error), seen);
  } finally {
    await admin.disconnect().catch(() => {}); // its socket is destroyed
    seen.socket?.destroy();
  }
}

/** The latest socket of a client. */
interface SeenSocket {
  broker?: string;
  socket?: Socket;
  firstBytes?: Buffer;
}

function createProbeClient(connection: KafkaConnection, seen: SeenSocket): KafkaClient {
  // Connects like kafkajs' default.
  const socketFactory: ISocketFactory = ({ host, port, ssl, onConnect }) => {
    const name = net.isIP(host) === 0 ? { servername: host } : {};
    const socket = ssl
      ? tls.connect({ host, port, ...name, ...ssl }, onConnect)
      : net.connect({ host, port }, onConnect);
    socket.once("data", (bytes: Buffer) => {
      seen.firstBytes = bytes;
    });
    seen.broker = `${host}:${port}`;
    seen.socket = socket;
    return socket;
  };
  return createKafkaClient({ connection, log: silentLog, patience: "once", socketFactory });
}

function classifyProbe(error: unknown, { socket, firstBytes }: SeenSocket): Probe {
  const code = String((error as { code?: unknown }).code ?? "");
  if (socket instanceof tls.TLSSocket) {
    if (socket.authorizationError || code === "ERR_TLS_CERT_ALTNAME_INVALID") {
      return { kind: "untrusted", code };
    }
    if (code.startsWith("ERR_SSL")) return { kind: "speaks_no_tls" };
  } else if (firstBytes?.[0] === 0x15 && firstBytes[1] === 0x03) {
    return { kind: "speaks_tls" }; // a TLS alert: it received no TLS handshake
  }
  if (firstBytes !== undefined) return { kind: "not_kafka" };
  return { kind: "unreachable", code, reason: errorMessage(error) };
}

interface Description {
  readonly text: string;
  readonly fix: string;
}

function describeProbe(
  probe: Exclude<Probe, { kind: "broker" }>,
  broker: string,
  connection: KafkaConnection,
): Description {
  switch (probe.kind) {
    case "refused":
      return describeRefusal(probe.error, broker, connection);
    case "untrusted":
      return probe.code === "CERT_HAS_EXPIRED"
        ? {
            text: `The certificate of ${broker} has expired`,
            fix: "Renew the broker's certificate",
          }
        : {
            text: `The certificate of ${broker} is not trusted (${probe.code})`,
            fix: "Put its authority into KAFKA_CA_FILE, and use a name of the certificate in KAFKA_BROKERS",
          };
    case "speaks_tls":
      return { text: `${broker} speaks TLS only`, fix: "Set KAFKA_SSL=true" };
    case "speaks_no_tls":
      return {
        text: `${broker} does not speak TLS`,
        fix: "Set KAFKA_SSL=false, or use its TLS port",
      };
    case "not_kafka":
      return { text: `What answers on ${broker} is not Kafka`, fix: "Check KAFKA_BROKERS" };
    case "unreachable":
      return describeSilence(probe, broker, connection);
    default:
      return unreachable(probe);
  }
}

function describeSilence(
  { code, reason }: { readonly code: string; readonly reason: string },
  broker: string,
  { ssl }: KafkaConnection,
): Description {
  const known = describeUnreachable(code, broker);
  if (known !== undefined) {
    return { text: `Failed to connect to Kafka: ${known.text}`, fix: known.fix };
  }
  const text = `Failed to connect to Kafka: no answer from ${broker} (${reason})`;
  if (reason === "Connection timeout") {
    const address = broker.replace(/:(?=\d+$)/, " ");
    return { text, fix: `Check the network and the firewall: telnet ${address}` };
  }
  const other = ssl
    ? "KAFKA_SSL=false, if it does not speak TLS"
    : "KAFKA_SSL=true, if it speaks TLS";
  return { text, fix: `Check the port in KAFKA_BROKERS; or set ${other}` };
}

/** For a broker that speaks Kafka, but does not serve this user. */
function describeRefusal(
  error: InstantError,
  subject: string,
  { sasl }: KafkaConnection,
): Description {
  const reason = error.detail ?? error.message;
  if (error.row === kafkaErrors.accessDenied) {
    const { type } = innermostError(error) as { type?: unknown };
    const fix =
      sasl !== undefined && type === "ILLEGAL_SASL_STATE"
        ? "This port accepts no login: set KAFKA_SASL_MECHANISM=none, or use the port that accepts one"
        : "Check KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD and KAFKA_SASL_MECHANISM";
    return { text: `${subject} refused the login (${reason})`, fix };
  }
  const fix =
    sasl === undefined
      ? "It may require a login: set KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD"
      : "Check the broker's log: it accepts connections but does not answer";
  return { text: `${subject} does not answer requests about the cluster (${reason})`, fix };
}

/** What an ACL can grant, as kafka-acls.sh names it. */
export type KafkaRight =
  | { readonly operation: "Read" | "Write"; readonly resource: "topic"; readonly name: string }
  | {
      readonly operation: "Read";
      readonly resource: "group";
      readonly name: string;
      /** A topic that the group reads. */
      readonly topic: string;
    };

/** No topic has that many. Brokers check the rights before the partition. */
const noPartition = 2_147_483_647;

/**
 * Those of `rights` that this user is denied, found by trying each on a partition that does not
 * exist: nothing is read, written or committed. Throws `log_unavailable`.
 */
export async function findDeniedRights<Right extends KafkaRight>(
  client: KafkaClient,
  rights: readonly Right[],
): Promise<readonly Right[]> {
  const cluster = client.cluster();
  try {
    await cluster.connect();
    await cluster.refreshMetadata();
    const broker = await cluster.findBroker({ nodeId: String(cluster.getNodeIds()[0]) });
    const denied: Right[] = [];
    for (const right of rights) if (await isDenied(broker, right)) denied.push(right);
    return denied;
  } catch (error) {
    throw classifyKafkaError(error);
  } finally {
    await cluster.disconnect().catch(() => {}); // the broker closes the rest
  }
}

async function isDenied(broker: Broker, right: KafkaRight): Promise<boolean> {
  try {
    await tryRight(broker, right);
    return false;
  } catch (error) {
    const { type } = innermostError(error) as { type?: string };
    if (type === undefined) throw error; // not an answer of the broker
    return type === `${right.resource.toUpperCase()}_AUTHORIZATION_FAILED`;
  }
}

async function tryRight(broker: Broker, right: KafkaRight): Promise<void> {
  const { name } = right;
  if (right.resource === "group") {
    const topics = [{ topic: right.topic, partitions: [{ partition: noPartition, offset: "0" }] }];
    await broker.offsetCommit({ groupId: name, groupGenerationId: -1, memberId: "", topics });
  } else if (right.operation === "Write") {
    const partitions = [{ partition: noPartition, messages: [{ value: null }] }];
    await broker.produce({ topicData: [{ topic: name, partitions }] });
  } else {
    const partitions = [{ partition: noPartition, fetchOffset: "0", maxBytes: 1 }];
    await broker.fetch({ maxWaitTime: 0, minBytes: 0, topics: [{ topic: name, partitions }] });
  }
}
