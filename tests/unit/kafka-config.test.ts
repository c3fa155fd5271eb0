import { expect, test } from "bun:test";
import { parseConfig } from "../../src/core/config.ts";
import {
  checkKafkaConfig,
  kafkaConnection,
  kafkaFields,
} from "../../src/email/event-log/kafka/config.ts";

function parse(environment: Record<string, string>) {
  return parseConfig({ kafka: kafkaFields }, environment).kafka;
}

test("brokers alone mean plain text without a login", () => {
  const connection = kafkaConnection(parse({ KAFKA_BROKERS: "a.example:9092, b-2.example:9093" }));
  expect(connection).toEqual({
    brokers: ["a.example:9092", "b-2.example:9093"],
    ssl: false,
    caFile: undefined,
    sasl: undefined,
    batchBytesMax: 16 * 1024 * 1024,
  });
});

test.each(["1048575", "268435457", "16MiB"])("KAFKA_BATCH_BYTES_MAX=%s is refused", (text) => {
  expect(() => parse({ KAFKA_BATCH_BYTES_MAX: text })).toThrow(
    "KAFKA_BATCH_BYTES_MAX must be a whole number",
  );
});

test("without brokers there is no Kafka", () => {
  expect(kafkaConnection(parse({}))).toBeUndefined();
});

test("a login is passed on", () => {
  const config = parse({
    KAFKA_BROKERS: "a:1",
    KAFKA_SSL: "true",
    KAFKA_SASL_MECHANISM: "scram-sha-512",
    KAFKA_SASL_USERNAME: "me",
    KAFKA_SASL_PASSWORD: "secret",
  });
  expect(checkKafkaConfig(config)).toEqual([]);
  expect(kafkaConnection(config)).toMatchObject({
    ssl: true,
    sasl: { mechanism: "scram-sha-512", username: "me", password: "secret" },
  });
});

test.each(["localhost", "localhost:", "http://a:1", "a:1,,b:2", "a:0"])(
  "KAFKA_BROKERS=%s is refused",
  (KAFKA_BROKERS) => {
    expect(() => parse({ KAFKA_BROKERS })).toThrow("KAFKA_BROKERS");
  },
);

test("a mechanism without user and password, and an authority without TLS, do not fit together", () => {
  const problems = checkKafkaConfig(
    parse({ KAFKA_SASL_MECHANISM: "plain", KAFKA_CA_FILE: "/ca.pem" }),
  );
  expect(problems.map(({ name }) => name)).toEqual([
    "KAFKA_SASL_USERNAME",
    "KAFKA_SASL_PASSWORD",
    "KAFKA_CA_FILE",
  ]);
});
