import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { isWritable, MissingError, needProgram, run } from "./packages.ts";
import type { Recipe, Variables, Workshop } from "./server.ts";
import { answersKafka, choosePort, parseAddress, startDetached } from "./server.ts";

/** Apache Kafka's own jars; the broker, its storage tool and the console tools. */
const kafkaVersion = "4.3.1";
const scalaVersion = "2.13";
/** Where the broker's errors go; without it a broker that cannot start says nothing. */
const logVersion = "2.25.4";
const dependencyPlugin = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId>
  <artifactId>kafka-jars</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_${scalaVersion}</artifactId>
      <version>${kafkaVersion}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka-tools</artifactId>
      <version>${kafkaVersion}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>${logVersion}</version>
    </dependency>
  </dependencies>
</project>
`;

/**
 * The folder with Kafka's jars, fetched once with Maven (54 MB) into the cache directory. A fetch
 * that breaks off leaves nothing there.
 */
export async function needKafkaJars(
  repository: string,
  print: (line: string) => void,
): Promise<string> {
  const cache = findCacheDirectory(repository);
  const jars = join(cache, `kafka-${kafkaVersion}`);
  const newest = [
    `kafka_${scalaVersion}-${kafkaVersion}.jar`,
    `log4j-slf4j-impl-${logVersion}.jar`,
  ];
  if (newest.every((jar) => existsSync(join(jars, jar)))) return jars;
  const maven = await needProgram("mvn", { debian: "maven", print });
  print(`fetching Apache Kafka ${kafkaVersion} with Maven into ${cache} (54 MB, once)`);
  const work = mkdtempSync(join(cache, "kafka-fetch-"));
  try {
    writeFileSync(join(work, "pom.xml"), pom);
    // A Maven repository of its own: the home directory may not exist, and nothing stays in it.
    const settings = [
      `-Dmaven.repo.local=${join(work, "repository")}`,
      `-DoutputDirectory=${join(work, "jars")}`,
      "-DincludeScope=runtime",
    ];
    await run([maven, "--batch-mode", "--quiet", dependencyPlugin, ...settings], {
      directory: work,
    });
    rmSync(jars, { recursive: true, force: true });
    renameSync(join(work, "jars"), jars);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return jars;
}

/** Java 17 or newer. Throws MissingError that says what was found. */
export async function needJava(print: (line: string) => void): Promise<string> {
  const home = process.env["JAVA_HOME"];
  const own = home === undefined ? undefined : join(home, "bin", "java");
  const debian = "openjdk-17-jre-headless";
  const java =
    own !== undefined && existsSync(own) ? own : await needProgram("java", { debian, print });
  const asked = Bun.spawnSync([java, "-version"]);
  const version = /version "(\d+)/.exec(asked.stderr.toString())?.[1];
  if (Number(version ?? 0) >= 17) return java;
  throw new MissingError(
    `Kafka needs Java 17 or newer; ${java} is ${version === undefined ? "none" : `Java ${version}`}. Debian has it as ${debian}`,
  );
}

/** `$XDG_CACHE_HOME/instant`, `~/.cache/instant`, or the repository's own when HOME is no use. */
function findCacheDirectory(repository: string): string {
  const home = process.env["XDG_CACHE_HOME"] ?? join(process.env["HOME"] || homedir(), ".cache");
  const wanted = join(home, "instant");
  try {
    mkdirSync(wanted, { recursive: true });
    if (isWritable(wanted)) return wanted;
  } catch {
    // A HOME that does not exist or is not ours: the repository's ignored folder serves.
  }
  const own = join(repository, ".cache", "downloads");
  mkdirSync(own, { recursive: true });
  return own;
}

const usualPort = 9092;

/** Apache Kafka in KRaft mode: broker and controller in one process. */
export const kafka: Recipe = {
  name: "kafka",
  usualPort,
  variable: "KAFKA_BROKERS",
  findGiven: ({ KAFKA_BROKERS }) => (KAFKA_BROKERS ? { KAFKA_BROKERS } : undefined),
  answers: ({ KAFKA_BROKERS = "" }) => answersKafka(parseAddress(KAFKA_BROKERS, usualPort)),
  planDocker: (hostPort) => ({
    image: `apache/kafka:${kafkaVersion}`,
    port: hostPort,
    environment: toImageEnvironment(brokerProperties(hostPort, hostPort + 1, "0.0.0.0")),
    command: [],
    variables: { KAFKA_BROKERS: `127.0.0.1:${hostPort}` },
  }),
  start: async (workshop) => {
    const java = await needJava(workshop.print);
    const jars = await needKafkaJars(workshop.repository, workshop.print);
    const port = await choosePort(usualPort);
    const settings = writeSettings(workshop, port, await choosePort(0));
    const classPath = ["-cp", join(jars, "*")];
    if (!existsSync(join(workshop.directory, "data", "meta.properties"))) {
      const format = ["kafka.tools.StorageTool", "format", "-t", makeClusterId(), "-c", settings];
      await run([java, ...classPath, ...format]);
    }
    const process = startDetached([java, "-Xmx1g", ...classPath, "kafka.Kafka", settings], {
      log: workshop.log,
      directory: workshop.directory,
    });
    return { variables: { KAFKA_BROKERS: `127.0.0.1:${port}` }, process };
  },
};

function writeSettings(workshop: Workshop, port: number, controllerPort: number): string {
  const properties = {
    ...brokerProperties(port, controllerPort, "127.0.0.1"),
    "log.dirs": join(workshop.directory, "data"),
  };
  const path = join(workshop.directory, "server.properties");
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(path, lines.join(""));
  return path;
}

/** Topics are made on purpose only, and a group of one need not wait for others to join. */
function brokerProperties(port: number, controllerPort: number, bind: string): Variables {
  return {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://${bind}:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${port}`,
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "auto.create.topics.enable": "false",
  };
}

/** The image reads `node.id` from KAFKA_NODE_ID. */
function toImageEnvironment(properties: Variables): Variables {
  return Object.fromEntries(
    Object.entries(properties).map(([name, value]) => [
      `KAFKA_${name.toUpperCase().replaceAll(".", "_")}`,
      value,
    ]),
  );
}

/** Kafka's form of a UUID: 16 bytes in base64url. One that begins with "-" looks like a flag. */
function makeClusterId(): string {
  const id = randomBytes(16).toString("base64url");
  return id.startsWith("-") ? makeClusterId() : id;
}
