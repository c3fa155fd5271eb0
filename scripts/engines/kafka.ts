import { randomBytes } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { answersKafka, parseAddress } from "./answers.ts";
import { kafkaVersion, needJava, needKafkaJars } from "./kafka-jars.ts";
import { run } from "./packages.ts";
import { choosePort } from "./ports.ts";
import { startDetached } from "./processes.ts";
import type { Recipe, Variables, Workshop } from "./server.ts";

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
    const java = await needJava(workshop.say);
    const jars = await needKafkaJars(workshop.repository, workshop.say);
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
