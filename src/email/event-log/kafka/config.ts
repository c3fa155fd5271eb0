import type { ConfigProblem, ConfigValues } from "../../../core/config.ts";
import { setting } from "../../../core/config.ts";
import type { KafkaConnection } from "./client.ts";

export const kafkaFields = {
  brokers: setting.list({
    name: "KAFKA_BROKERS",
    item: "host:port",
    itemPattern: /^(?:[A-Za-z0-9._-]+):(?:[1-9]\d{0,4})$/,
    example: "localhost:9092",
    doc: "Bootstrap brokers of Kafka. Unset: the event log is a SQLite file in DATA_DIR.",
  }),
  ssl: setting.flag({
    name: "KAFKA_SSL",
    fallback: "false",
    doc: "Whether to use TLS with the brokers.",
  }),
  caFile: setting.text({
    name: "KAFKA_CA_FILE",
    example: "/etc/ssl/kafka-ca.pem",
    doc: "PEM file of the authority that signed the brokers' certificates. Unset: the system's authorities.",
  }),
  saslMechanism: setting.choice({
    name: "KAFKA_SASL_MECHANISM",
    choices: ["none", "plain", "scram-sha-256", "scram-sha-512"],
    fallback: "none",
    doc: "How to log in to the brokers.",
  }),
  saslUsername: setting.text({
    name: "KAFKA_SASL_USERNAME",
    example: "instant",
    doc: "The user to log in as.",
  }),
  saslPassword: setting.secret({ name: "KAFKA_SASL_PASSWORD", doc: "The password of that user." }),
  sessionTimeoutMs: setting.duration({
    name: "KAFKA_SESSION_TIMEOUT",
    fallback: "10s",
    minMs: 1000,
    maxMs: 300_000,
    doc: "How long a serve-email without heartbeats stays in the group before others take over its partitions. The brokers limit it too (group.min.session.timeout.ms, 6s by default).",
  }),
  batchBytesMax: setting.integer({
    name: "KAFKA_BATCH_BYTES_MAX",
    fallback: "16777216",
    min: 1_048_576,
    max: 268_435_456,
    doc: "Maximum size in bytes of a record batch, decompressed. A larger record becomes a dead letter with its first 64 KiB.",
  }),
} as const;

type KafkaConfig = ConfigValues<typeof kafkaFields>;

/** Settings that do not fit together. */
export function checkKafkaConfig(config: KafkaConfig): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (config.saslMechanism !== "none") {
    const because = `because KAFKA_SASL_MECHANISM is ${config.saslMechanism}`;
    if (config.saslUsername === undefined) {
      problems.push({ name: "KAFKA_SASL_USERNAME", problem: `must be set ${because}` });
    }
    if (config.saslPassword === undefined) {
      problems.push({ name: "KAFKA_SASL_PASSWORD", problem: `must be set ${because}` });
    }
  }
  if (config.caFile !== undefined && !config.ssl) {
    problems.push({
      name: "KAFKA_CA_FILE",
      problem: "is only used with TLS; set KAFKA_SSL=true or unset it",
    });
  }
  return problems;
}

/** The options of the adapter; undefined when KAFKA_BROKERS is not set. */
export function kafkaConnection(config: KafkaConfig): KafkaConnection | undefined {
  const { brokers, ssl, caFile, saslMechanism, saslUsername, saslPassword, batchBytesMax } = config;
  if (brokers === undefined) return undefined;
  const sasl =
    saslMechanism === "none"
      ? undefined
      : { mechanism: saslMechanism, username: saslUsername ?? "", password: saslPassword ?? "" };
  return { brokers, ssl, caFile, sasl, batchBytesMax };
}
