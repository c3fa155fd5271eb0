import { expect, test } from "bun:test";
import {
  KafkaJSConnectionError,
  KafkaJSNonRetriableError,
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSProtocolError,
} from "kafkajs";
import {
  classifyKafkaError,
  kafkaErrors,
  toEventLogError,
  toPublishError,
} from "../../src/email/event-log/kafka/errors.ts";

function protocolError(type: string, retriable = false): Error {
  const error = new KafkaJSProtocolError(`Kafka says ${type}`);
  return Object.assign(error, { type, retriable });
}

test("the innermost error decides, however often it is wrapped", () => {
  const refused = new KafkaJSConnectionError("connect ECONNREFUSED");
  const retries = { retryCount: 2, retryTime: 100 };
  const wrapped = new KafkaJSNumberOfRetriesExceeded(refused, retries);
  const twice = Object.assign(new KafkaJSNonRetriableError(wrapped), { cause: wrapped });
  const classified = classifyKafkaError(twice);
  expect(classified.code).toBe("kafka_unavailable");
  expect(classified.detail).toBe("connect ECONNREFUSED");
});

test.each([
  [
    "ECONNREFUSED",
    "nothing listens on kafka:9092: start it (docker-compose up -d kafka), or check",
  ],
  ["ENOTFOUND", "the name kafka cannot be resolved: check KAFKA_BROKERS, and this machine's DNS"],
  ["EPIPE", "kafka:9092: Connection error"],
])("a broker that is not reached (%s) is named, with the fix", (code, words) => {
  const error = new KafkaJSConnectionError("Connection error", { broker: "kafka:9092", code });
  expect(classifyKafkaError(error).detail).toStartWith(words);
});

test.each([
  ["UNKNOWN_TOPIC_OR_PARTITION", "kafka_topic_missing"],
  ["MESSAGE_TOO_LARGE", "kafka_record_too_large"],
  ["OFFSET_OUT_OF_RANGE", "kafka_offset_out_of_range"],
  ["TOPIC_AUTHORIZATION_FAILED", "kafka_access_denied"],
  ["INVALID_REPLICATION_FACTOR", "kafka_refused"],
])("%s becomes %s", (type, code) => {
  expect(classifyKafkaError(protocolError(type)).code).toBe(code);
});

test("what Kafka says may be tried again is unavailable, what it does not say is refused", () => {
  expect(classifyKafkaError(protocolError("NOT_ENOUGH_REPLICAS", true)).code).toBe(
    "kafka_unavailable",
  );
  expect(classifyKafkaError(new TypeError("a bug")).code).toBe("kafka_refused");
});

test("topic and partition are kept", () => {
  const error = Object.assign(protocolError("OFFSET_OUT_OF_RANGE"), { topic: "t", partition: 0 });
  expect(classifyKafkaError(error).details).toEqual({ topic: "t", partition: 0 });
});

test("the event log speaks of the log; only publish and ping call everything unavailable", () => {
  const missing = classifyKafkaError(protocolError("UNKNOWN_TOPIC_OR_PARTITION"));
  expect(toEventLogError(missing, "email-events")).toMatchObject({
    code: "topic_missing",
    detail: "email-events",
  });
  const denied = classifyKafkaError(protocolError("TOPIC_AUTHORIZATION_FAILED"));
  expect(toEventLogError(denied)).toMatchObject({ row: kafkaErrors.accessDenied });
  expect(toPublishError(denied)).toMatchObject({ code: "log_unavailable" });
});
