import { describe, expect, test } from "bun:test";
import { createKafkaWire } from "../../../scripts/faults/kafka-wire.ts";
import { createRedisWire } from "../../../scripts/faults/redis-wire.ts";
import { cut } from "../../../scripts/faults/wire.ts";

/** What `length` finds when the bytes come one by one. */
function cutSlowly(bytes: Buffer, length: (bytes: Buffer) => number | undefined): string[] {
  const found: string[] = [];
  let kept = Buffer.alloc(0);
  for (const byte of bytes) {
    const { messages, rest } = cut(Buffer.concat([kept, Buffer.of(byte)]), length);
    found.push(...messages.map(String));
    kept = Buffer.from(rest);
  }
  expect(kept.length).toBe(0);
  return found;
}

describe("Redis' protocol", () => {
  test.each([
    "+OK\r\n",
    "-ERR no\r\n",
    ":12\r\n",
    "$-1\r\n",
    "$0\r\n\r\n",
    "$7\r\na\r\nb\r\nc\r\n",
    "*-1\r\n",
    "*0\r\n",
    "*3\r\n:1\r\n:1700000000000\r\n$-1\r\n",
    "*2\r\n*1\r\n:1\r\n$1\r\nx\r\n",
    "%1\r\n+a\r\n*1\r\n:1\r\n",
    "_\r\n",
  ])("finds where %j ends", (reply) => {
    const { replyLength } = createRedisWire();
    expect(cutSlowly(Buffer.from(reply + reply), replyLength)).toEqual([reply, reply]);
  });

  test("reads a command's arguments, whatever is in them", () => {
    const words = ["evalsha", "abc", "1", "email:sent:1", "absent", "", 'é"\r\n*1'];
    const bulk = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("");
    const wire = createRedisWire();
    const command = Buffer.from(`*${words.length}\r\n${bulk}`);
    expect(wire.requestLength(command)).toBe(command.length);
    expect(wire.readRequest(command)).toEqual(words);
  });
});

describe("Kafka's protocol", () => {
  const request = (apiKey: number, body: string) => {
    const frame = Buffer.concat([Buffer.alloc(12), Buffer.from(body)]);
    frame.writeInt32BE(frame.length - 4, 0);
    frame.writeInt16BE(apiKey, 4);
    return frame;
  };

  test("finds where a request ends", () => {
    const [first, second] = [request(8, "one"), request(0, "")];
    const { requestLength } = createKafkaWire();
    const found = cutSlowly(Buffer.concat([first, second]), requestLength);
    expect(found).toEqual([first, second].map(String));
  });

  test("says what a request is and whom it names", () => {
    const read = createKafkaWire().readRequest(request(8, "group-7"));
    expect(read.api).toBe("offsetCommit");
    expect([read.names("group-7"), read.names("group-8")]).toEqual([true, false]);
    expect(createKafkaWire().readRequest(request(3, "")).api).toBeUndefined();
  });

  test("knows a member by its heartbeat", () => {
    const wire = createKafkaWire();
    expect(wire.readRequest(request(11, "")).isMember).toBe(false);
    wire.readRequest(request(12, ""));
    expect(wire.readRequest(request(11, "")).isMember).toBe(true);
  });
});
