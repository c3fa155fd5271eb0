import { describe, expect, test } from "bun:test";
import {
  encodeDeadLetter,
  encodeReplay,
  readDeadLetter,
} from "../../src/email/dead-letters/dead-letter.ts";
import { prefetch } from "../../src/email/dead-letters/replay.ts";
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

function headersOf(deadLetter: { headers: LogRecord["headers"] }) {
  return new Map(deadLetter.headers.map(([name, value]) => [name, Buffer.from(value ?? [])]));
}

describe("a dead letter", () => {
  const deadLetter = encodeDeadLetter(record, failure);

  test("keeps key, value and headers, null and repeated ones included", () => {
    expect(deadLetter.key).toBe(record.key);
    expect(deadLetter.value).toBe(record.value);
    expect(deadLetter.headers.slice(0, 3)).toEqual([...record.headers]);
  });

  test("names its origin in Spring's encodings", () => {
    const headers = headersOf(deadLetter);
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

  test("has the reason, the attempts and the time", () => {
    expect(readDeadLetter({ ...record, ...deadLetter }).facts).toEqual({
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

  test("that is replayed has its own headers, the replay count and nothing else of ours", () => {
    const replay = encodeReplay({ ...record, ...deadLetter }, 1);
    expect(replay.headers).toEqual([...record.headers, ["x-instant-replay-count", bytes("1")]]);
    expect(replay.value).toBe(record.value);
  });

  test("of a replayed record keeps the replay count", () => {
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

describe("a prefetch", () => {
  /** Counts to `last`; `requested` is the newest number so far. */
  function counting(last: number, failAt = Number.NaN) {
    const state = { requested: 0, closed: false };
    async function* numbers(): AsyncGenerator<number, void> {
      try {
        for (let number = 1; number <= last; number += 1) {
          state.requested = number;
          if (number === failAt) throw new Error(`no ${number}`);
          yield number;
        }
      } finally {
        state.closed = true;
      }
    }
    return { state, numbers: numbers() };
  }

  test("fetches one item while the one before it is worked on, and no more", async () => {
    const { state, numbers } = counting(4);
    const requested: number[] = [];
    for await (const _ of prefetch(numbers)) {
      await new Promise((resolve) => setImmediate(resolve));
      requested.push(state.requested);
    }
    expect(requested).toEqual([2, 3, 4, 4]);
  });

  test("yields all items in order before it throws what the source threw", async () => {
    const { numbers } = counting(4, 3);
    const read: number[] = [];
    const reading = (async () => {
      for await (const number of prefetch(numbers)) read.push(number);
    })();
    expect(await reading.catch((error) => error.message)).toBe("no 3");
    expect(read).toEqual([1, 2]);
  });

  test("closes the source when the reader ends early, and drops what was fetched", async () => {
    const { state, numbers } = counting(4, 2);
    for await (const _ of prefetch(numbers)) break;
    expect(state).toEqual({ requested: 2, closed: true });
  });
});
