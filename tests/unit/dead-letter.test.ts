import { describe, expect, test } from "bun:test";
import {
  encodeDeadLetter,
  encodeReplay,
  readDeadLetter,
} from "../../src/email/dead-letters/dead-letter.ts";
import { replayCountOf } from "../../src/email/event.ts";
import type { LogRecord } from "../../src/email/event-log/event-log.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const record: LogRecord = {
  topic: "email-events",
  partition: 2,
  offset: 2 ** 40,
  timestamp: 1_767_225_600_123,
  timestampType: "CreateTime",
  key: bytes("a@b.co"),
  value: bytes("{}"),
  headers: [
    ["7", bytes("number")],
    ["trace", null],
    ["trace", bytes("second")],
  ],
};
const failure = {
  class: "rejected" as const,
  reason: "recipient refused: 550 5.1.1 größe",
  attempts: 4,
  failedAt: 1_767_225_700_000,
  group: "email-service-group",
};

function headersOf(letter: { headers: LogRecord["headers"] }) {
  return new Map(letter.headers.map(([name, value]) => [name, Buffer.from(value ?? [])]));
}

describe("a dead letter", () => {
  const letter = encodeDeadLetter(record, failure);

  test("keeps key, value and headers, null and repeated ones included", () => {
    expect(letter.key).toBe(record.key);
    expect(letter.value).toBe(record.value);
    expect(letter.headers.slice(0, 3)).toEqual([...record.headers]);
  });

  test("says where it came from in Spring's encodings", () => {
    const headers = headersOf(letter);
    const hex = (name: string) => headers.get(name)?.toString("hex");
    expect(hex("kafka_dlt-original-partition")).toBe("00000002");
    expect(hex("kafka_dlt-original-offset")).toBe("0000010000000000");
    expect(hex("kafka_dlt-original-timestamp")).toBe("0000019b76daa87b");
    expect(headers.get("kafka_dlt-original-topic")?.toString()).toBe("email-events");
    expect(headers.get("kafka_dlt-original-timestamp-type")?.toString()).toBe("CreateTime");
    expect(headers.get("kafka_dlt-original-consumer-group")?.toString()).toBe(failure.group);
    expect(headers.get("kafka_dlt-exception-fqcn")?.toString()).toBe("instant.rejected");
    expect(headers.get("kafka_dlt-exception-message")?.toString()).toBe(failure.reason);
  });

  test("says why, how often and when", () => {
    expect(readDeadLetter({ ...record, ...letter }).facts).toEqual({
      class: "rejected",
      reason: failure.reason,
      attempts: 4,
      failedAt: failure.failedAt,
      replayCount: 0,
      originalTopic: "email-events",
      originalPartition: 2,
      originalOffset: 2 ** 40,
      isWhole: true,
    });
  });

  test("that is put back carries its own headers, the replay count and nothing else of ours", () => {
    const replay = encodeReplay({ ...record, ...letter }, 1);
    expect(replay.headers).toEqual([...record.headers, ["x-instant-replay-count", bytes("1")]]);
    expect(replay.value).toBe(record.value);
  });

  test("of a record that was put back keeps the replay count", () => {
    const replayed = { ...record, ...encodeReplay(record, 2) };
    expect(
      readDeadLetter({ ...record, ...encodeDeadLetter(replayed, failure) }).facts.replayCount,
    ).toBe(2);
  });
});

describe("a replay count", () => {
  test.each(["", "-1", "1.5", "x", "99999999999999999999"])("that is %j counts as none", (text) => {
    expect(replayCountOf([["x-instant-replay-count", bytes(text)]])).toBe(0);
  });
});
