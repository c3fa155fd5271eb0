import { describe, expect, test } from "bun:test";
import {
  KafkaJSConnectionError,
  KafkaJSNonRetriableError,
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSProtocolError,
} from "kafkajs";
import { coreErrors, InstantError } from "../../src/core/errors.ts";
import { createLog } from "../../src/core/log.ts";
import {
  classifyKafkaError,
  createKafkaLog,
  kafkaErrors,
  toPublishError,
} from "../../src/email/event-log/kafka/client.ts";
import {
  checkKafkaConfig,
  kafkaConnection,
  kafkaFields,
} from "../../src/email/event-log/kafka/config.ts";
import { OffsetCommitter } from "../../src/email/event-log/kafka/subscription.ts";
import { eventually } from "../../support/eventually.ts";
import { parseConfig } from "../../support/settings.ts";

describe("the settings", () => {
  function parse(environment: Record<string, string>) {
    return parseConfig({ kafka: kafkaFields }, environment).kafka;
  }

  test("brokers alone mean plain text without a login", () => {
    const connection = kafkaConnection(
      parse({ KAFKA_BROKERS: "a.example:9092, b-2.example:9093" }),
    );
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
});

describe("the log lines of kafkajs", () => {
  function openLog() {
    const lines: { level: string; reason: string }[] = [];
    let now = 0;
    const write = (line: string) => void lines.push(JSON.parse(line));
    const log = createLog({ service: "test", level: "debug", write });
    const say = createKafkaLog(log, () => now)(1);
    const report = (namespace: string, message: string, error?: string) =>
      say({ namespace, level: 1, label: "ERROR", log: { timestamp: "", message, error } });
    const advance = (durationMs: number) => {
      now += durationMs;
    };
    return { lines, report, advance };
  }

  test("what kafkajs calls an error in a rebalance or an answer is not even a warning", () => {
    const { lines, report } = openLog();
    report("Connection", "Response Heartbeat(key: 12, version: 3)", "The group is rebalancing");
    report("Runner", "The coordinator is not aware of this member, re-joining the group");
    report("Consumer", "Crash: KafkaJSNonRetriableError: anything");
    expect(lines.map(({ level }) => level)).toEqual(["debug", "debug", "debug"]);
  });

  test("a connection that breaks is a warning, the same one at most every 10 s", () => {
    const { lines, report, advance } = openLog();
    for (let second = 0; second < 21; second += 1) {
      report("Connection", "Connection error: connect ECONNREFUSED");
      advance(1_000);
    }
    report("Connection", "Connection timeout");
    expect(lines.map(({ level }) => level)).toEqual(["warn", "warn", "warn", "warn"]);
    expect(lines.at(-1)?.reason).toBe("Connection timeout");
  });
});

describe("the errors of kafkajs", () => {
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
    expect(classified.code).toBe("log_unavailable");
    expect(classified.detail).toBe("connect ECONNREFUSED");
  });

  test.each([
    [
      "ECONNREFUSED",
      "nothing listens on kafka:9092: start it (docker-compose up -d kafka), or check",
    ],
    ["ENOTFOUND", "the name kafka cannot be resolved: check KAFKA_BROKERS, and this machine's DNS"],
    ["EPIPE", "kafka:9092: Connection error"],
  ])("a broker that cannot be reached (%s) is named, with the fix", (code, words) => {
    const error = new KafkaJSConnectionError("Connection error", { broker: "kafka:9092", code });
    expect(classifyKafkaError(error).detail).toStartWith(words);
  });

  test.each([
    ["UNKNOWN_TOPIC_OR_PARTITION", "topic_missing"],
    ["MESSAGE_TOO_LARGE", "record_too_large"],
    ["OFFSET_OUT_OF_RANGE", "offset_out_of_range"],
    ["TOPIC_AUTHORIZATION_FAILED", "kafka_access_denied"],
    ["INVALID_REPLICATION_FACTOR", "kafka_refused"],
  ])("%s becomes %s", (type, code) => {
    expect(classifyKafkaError(protocolError(type)).code).toBe(code);
  });

  test("what Kafka calls retriable is unavailable, anything else is refused", () => {
    expect(classifyKafkaError(protocolError("NOT_ENOUGH_REPLICAS", true)).code).toBe(
      "log_unavailable",
    );
    expect(classifyKafkaError(new TypeError("a bug")).code).toBe("kafka_refused");
  });

  test("topic and partition are kept", () => {
    const error = Object.assign(protocolError("OFFSET_OUT_OF_RANGE"), { topic: "t", partition: 0 });
    expect(classifyKafkaError(error).details).toEqual({ topic: "t", partition: 0 });
  });

  test("a missing topic is named, as kafkajs does not name it", () => {
    const error = protocolError("UNKNOWN_TOPIC_OR_PARTITION");
    const missing = { code: "topic_missing", detail: "email-events" };
    expect(classifyKafkaError(error, { topic: "email-events" })).toMatchObject(missing);
  });

  test("a call that took too long is unavailable", () => {
    const late = new InstantError(coreErrors.deadlineExceeded, { detail: "asking after 5 ms" });
    expect(classifyKafkaError(late)).toMatchObject({
      code: "log_unavailable",
      detail: "asking after 5 ms",
    });
  });

  test("for publish and ping, what Kafka refuses is unavailable", () => {
    const denied = protocolError("TOPIC_AUTHORIZATION_FAILED");
    const { meaning } = kafkaErrors.accessDenied;
    expect(toPublishError(denied)).toMatchObject({
      code: "log_unavailable",
      detail: `${meaning}: Kafka says TOPIC_AUTHORIZATION_FAILED`,
    });
    const missing = protocolError("UNKNOWN_TOPIC_OR_PARTITION");
    expect(toPublishError(missing, { topic: "t" })).toMatchObject({ code: "topic_missing" });
  });
});

describe("commits", () => {
  /** A group that may refuse commits, and a low watermark that only a commit settles. */
  function openGroup() {
    const commits: number[] = [];
    const group = { low: 0, committed: 0, takes: true };
    const committer = new OffsetCommitter({
      uncommitted: () => (group.low > group.committed ? [{ partition: 0, offset: group.low }] : []),
      commit: async ([first]) => {
        commits.push(first?.offset ?? -1);
        return group.takes;
      },
      markCommitted: ([first]) => {
        group.committed = first?.offset ?? -1;
      },
    });
    return { group, commits, committer };
  }

  test("what becomes committable in a short time is one commit", async () => {
    const { group, commits, committer } = openGroup();
    for (let low = 1; low <= 50; low += 1) {
      group.low = low;
      committer.schedule();
    }
    await eventually("it is committed", () => commits.length > 0);
    expect(commits).toEqual([50]);
    await committer.close();
    expect(commits).toEqual([50]);
  });

  test("a commit that failed is tried again", async () => {
    const { group, commits, committer } = openGroup();
    group.low = 5;
    group.takes = false;
    expect(await committer.commitNow()).toBe(false);
    group.takes = true;
    await eventually("it is committed", () => group.committed === 5);
    expect(commits).toEqual([5, 5]);
    await committer.close();
  });

  test("closing commits the rest, and gives up after three refusals", async () => {
    const { group, commits, committer } = openGroup();
    group.low = 7;
    group.takes = false;
    await committer.close();
    expect(commits).toEqual([7, 7, 7]);
  });
});
