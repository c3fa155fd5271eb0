import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { answersKafka, choosePort } from "./engines/server.ts";
import type { OwnServer } from "./own-server.ts";
import { isListening, openOwnServer } from "./own-server.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** A private broker (KRaft, one process, 3 s to start) that a test may treat badly. */
export interface OwnKafka extends OwnServer {
  /** As in KAFKA_BROKERS. */
  readonly brokers: string;
  readonly cluster: OwnCluster;
}

interface OwnCluster {
  readonly id: string;
  readonly controllerPort: number;
}

interface OwnKafkaOptions {
  /** How clients connect, "PLAINTEXT" unless said otherwise. */
  readonly protocol?: "PLAINTEXT" | "SASL_SSL";
  /** Makes it the second broker of another's cluster. */
  readonly joins?: OwnCluster;
  /** Where clients are sent, when that is not the broker's own port: to a proxy before it. */
  readonly advertisedPort?: number;
  /** Further lines of server.properties, for example of the protocol. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Further arguments of the storage format, for example users. */
  readonly formatArgs?: readonly string[];
}

/** For a broker that removes and compacts what it may within a second, not within minutes. */
export const eagerCleaning = {
  "log.initial.task.delay.ms": "100",
  "log.retention.check.interval.ms": "200",
  "log.cleaner.backoff.ms": "100",
  "log.segment.delete.delay.ms": "0",
};

/**
 * Whether `openOwnKafka` can work: TEST_KAFKA_LIBS names the folder with the jars that
 * `scripts/servers` fetches, and there is Java. Says what is missing; throws when `CI=true`.
 */
export function hasOwnKafka(): boolean {
  const jars = process.env["TEST_KAFKA_LIBS"];
  const missing = !jars
    ? "TEST_KAFKA_LIBS is not set"
    : Bun.which("java") === null && "no java on the PATH";
  if (!missing) return true;
  if (process.env["CI"] === "true") throw new Error(`CI has no Kafka of its own: ${missing}`);
  console.warn(`SKIPPED: no Kafka of its own: ${missing}`);
  return false;
}

/** A port that was just found free may be found free again: they must differ. */
async function chooseThreePorts(): Promise<readonly [number, number, number]> {
  for (;;) {
    const ports = [await choosePort(0), await choosePort(0), await choosePort(0)] as const;
    if (new Set(ports).size === ports.length) return ports;
  }
}

export async function openOwnKafka(options: OwnKafkaOptions = {}): Promise<OwnKafka> {
  const classPath = ["-cp", join(process.env["TEST_KAFKA_LIBS"] ?? "", "*")];
  const command = ["java", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", ...classPath];
  const directory = temporaryDirectory();
  const ports = await chooseThreePorts();
  const [port, , controllerPort] = ports;
  const settings = join(directory.path, "server.properties");
  writeFileSync(settings, properties(directory.path, ports, options));
  const newId = `x${randomBytes(16).toString("base64url").slice(1)}`; // a leading dash is a flag
  const cluster = options.joins ?? { id: newId, controllerPort };
  await format([...command, "kafka.tools.StorageTool"], cluster.id, settings, options);
  const server = await openOwnServer({
    command: [...command, "kafka.Kafka", settings],
    directory,
    answers: () =>
      options.protocol === "SASL_SSL"
        ? isListening(port)
        : answersKafka({ host: "127.0.0.1", port }),
    startMsMax: 60_000,
  });
  return { ...server, brokers: `127.0.0.1:${port}`, cluster };
}

function properties(
  directory: string,
  [port, innerPort, controllerPort]: readonly [number, number, number],
  { protocol = "PLAINTEXT", joins, advertisedPort = port, properties: more = {} }: OwnKafkaOptions,
): string {
  const listeners = `CLIENT://127.0.0.1:${port},INNER://127.0.0.1:${innerPort}`;
  const lines = {
    "process.roles": joins ? "broker" : "broker,controller",
    "node.id": joins ? "2" : "1",
    "controller.quorum.voters": `1@127.0.0.1:${joins?.controllerPort ?? controllerPort}`,
    listeners: joins ? listeners : `${listeners},CONTROLLER://127.0.0.1:${controllerPort}`,
    "advertised.listeners": `CLIENT://127.0.0.1:${advertisedPort},INNER://127.0.0.1:${innerPort}`,
    "listener.security.protocol.map": `CLIENT:${protocol},INNER:PLAINTEXT,CONTROLLER:PLAINTEXT`,
    "inter.broker.listener.name": "INNER",
    "controller.listener.names": "CONTROLLER",
    "log.dirs": join(directory, "data"),
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "auto.create.topics.enable": "false",
    // With the defaults a broker that was killed waits 10 s until its earlier life has ended.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "300",
    "controller.quorum.election.timeout.ms": "500",
    "controller.quorum.fetch.timeout.ms": "1000",
    ...more,
  };
  return Object.entries(lines)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}

async function format(
  tool: readonly string[],
  id: string,
  settings: string,
  { formatArgs = [] }: OwnKafkaOptions,
): Promise<void> {
  const args = ["format", "-t", id, "-c", settings, ...formatArgs];
  const { exitCode, stdout, stderr } = Bun.spawnSync([...tool, ...args]);
  if (exitCode !== 0) throw new Error(`Kafka's storage: ${stdout}${stderr}`);
}
