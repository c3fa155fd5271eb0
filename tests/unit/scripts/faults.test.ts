import { describe, expect, test } from "bun:test";
import net from "node:net";
import { parseOptions } from "../../../scripts/faults/chaos.ts";
import { cut, HoldProxy } from "../../../scripts/faults/proxy.ts";
import type { MailResult } from "../../../scripts/faults/tally.ts";
import { findBreach, renderTable, tallyResults } from "../../../scripts/faults/tally.ts";
import { createKafkaWire, createRedisWire } from "../../../scripts/faults/wires.ts";
import { codeEvent, welcomeEvent } from "../../../support/events.ts";
import { eventually } from "../../../support/eventually.ts";

/** A server that answers each command with its second word, and a client of it through a proxy. */
async function openRig() {
  const stack = new AsyncDisposableStack();
  const received: string[] = [];
  const wire = createRedisWire();
  const server = net.createServer((socket) => {
    socket.on("data", (bytes: Buffer) => {
      for (const word of bytes.toString().matchAll(/\$\d+\r\n(\w+)/g)) {
        received.push(word[1] ?? "");
        socket.write(`+${word[1]}\r\n`);
      }
    });
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stack.defer(() => void server.close());
  const { port } = server.address() as net.AddressInfo;
  const proxy = stack.use(
    await HoldProxy.open({ target: { host: "127.0.0.1", port }, openWire: () => wire }),
  );
  const client = net.connect(proxy.port, "127.0.0.1");
  stack.defer(() => void client.destroy());
  let answers = "";
  client.on("data", (bytes) => {
    answers += bytes.toString();
  });
  client.on("error", () => {});
  return {
    proxy,
    received,
    client,
    say: (...words: string[]) => {
      for (const word of words) client.write(`*1\r\n$${word.length}\r\n${word}\r\n`);
    },
    answers: () => [...answers.matchAll(/\+(\w+)\r\n/g)].map((found) => found[1]),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const matches = ([word]: readonly string[]) => word === "stop";

test("passes requests and replies", async () => {
  await using rig = await openRig();
  rig.say("one", "two");
  await eventually("both are answered", () => rig.answers().length === 2);
  expect(rig.answers()).toEqual(["one", "two"]);
});

test("holds a request and all behind it until it is released", async () => {
  await using rig = await openRig();
  const hold = rig.proxy.hold({ at: "request", matches });
  rig.say("one", "stop", "two");
  await hold.untilCaught(1, 0);
  await eventually("the first is answered", () => rig.answers().length === 1);
  expect(rig.received).toEqual(["one"]);
  hold.release();
  await eventually("all are answered", () => rig.answers().length === 3);
  expect(rig.answers()).toEqual(["one", "stop", "two"]);
});

test("holds a reply while the server receives all", async () => {
  await using rig = await openRig();
  const hold = rig.proxy.hold({ at: "reply", matches });
  rig.say("one", "stop", "two");
  await eventually("the server received all", () => rig.received.length === 3);
  await eventually("the first is answered", () => rig.answers().length === 1);
  expect(rig.answers()).toEqual(["one"]);
  hold.release();
  await eventually("all are answered", () => rig.answers().length === 3);
});

test("drops what it holds, with its connection", async () => {
  await using rig = await openRig();
  const hold = rig.proxy.hold({ at: "request", matches });
  rig.say("one", "stop");
  await hold.untilCaught(1, 0);
  const closed = new Promise((resolve) => rig.client.once("close", resolve));
  hold.drop();
  await closed;
  expect(rig.received).toEqual(["one"]);
});

test("catches no more once it is shut, and counts what it caught", async () => {
  await using rig = await openRig();
  const hold = rig.proxy.hold({ at: "reply", matches });
  rig.say("stop", "stop");
  await hold.untilCaught(2, 1000);
  expect(hold.caught).toBe(2);
  hold.shut();
  rig.say("stop");
  await eventually("the server received all", () => rig.received.length === 3);
  expect(hold.caught).toBe(2);
});

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

  test("finds what a request is and which names it contains", () => {
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

const usual = {
  accepted: 1,
  deadLetter: undefined,
  expired: false,
  inWindow: 0,
  refused: false,
  beforeDot: false,
};
const byDot = { inWindow: 1, beforeDot: true } as const;
const code = (result: Partial<MailResult> = {}): MailResult => ({
  ...usual,
  event: codeEvent(),
  ...result,
});
const welcome = (result: Partial<MailResult> = {}): MailResult => {
  return { ...usual, event: welcomeEvent(), ...result };
};

test.each([
  ["a mail sent once", code()],
  ["a code that expired", code({ accepted: 0, expired: true })],
  ["a code sent again in the window", code({ accepted: 2, inWindow: 1 })],
  [
    "a code given up after two windows",
    code({ accepted: 2, inWindow: 2, deadLetter: "ambiguous" }),
  ],
  ["a mail given up in the window", welcome({ accepted: 0, inWindow: 1, deadLetter: "ambiguous" })],
  [
    "a mail sent and given up in it",
    welcome({ accepted: 1, inWindow: 1, deadLetter: "ambiguous" }),
  ],
  ["a code sent after a fault before the dot", code(byDot)],
  ["a mail given up before the dot", welcome({ ...byDot, accepted: 0, deadLetter: "ambiguous" })],
  [
    "a refused mail with its dead letter",
    code({ accepted: 0, refused: true, deadLetter: "rejected" }),
  ],
] as const)("keeps the promise: %s", (_, result) => {
  expect(findBreach(result)).toBeUndefined();
});

test.each([
  ["a mail nobody has", code({ accepted: 0 })],
  ["a mail nobody has, in the window", code({ accepted: 0, inWindow: 1 })],
  ["a code sent twice outside the window", code({ accepted: 2 })],
  ["a code sent twice, though no dot was written", code({ ...byDot, accepted: 2 })],
  ["a mail sent and given up, though no dot was", welcome({ ...byDot, deadLetter: "ambiguous" })],
  ["a code sent three times", code({ accepted: 3, inWindow: 2 })],
  ["another mail sent twice", welcome({ accepted: 2, inWindow: 1 })],
  ["a living code given up", code({ accepted: 1, inWindow: 1, deadLetter: "ambiguous" })],
  ["a mail given up outside the window", welcome({ accepted: 0, deadLetter: "ambiguous" })],
  ["a mail whose retries ran out", welcome({ accepted: 0, deadLetter: "retries_exhausted" })],
  ["a mail sent and given up", welcome({ deadLetter: "rejected", refused: true })],
] as const)("breaks the promise: %s", (_, result) => {
  expect(findBreach(result)).toBeString();
});

test("counts results and renders them as a table", () => {
  const results = [
    code(),
    code({ accepted: 2, inWindow: 1 }),
    welcome({ accepted: 0, inWindow: 1, deadLetter: "ambiguous" }),
    welcome({ accepted: 0 }),
  ];
  const tally = tallyResults(results);
  expect(tally).toEqual({
    mails: 4,
    inWindow: 2,
    lost: 1,
    once: 1,
    twice: 1,
    deadLetters: { ambiguous: 1 },
  });
  const rows = [{ name: "after 250", tally: { ...tally, breaches: [] }, note: "quickly" }];
  expect(renderTable("killed at", rows)).toEndWith(
    "| after 250: quickly ✗ | 4 | 2 | 1 | 1 | 1 | 1 ambiguous |",
  );
});

test("parses the options, and reports what is wrong with them", () => {
  expect(parseOptions([])).toMatchObject({ kills: 30, freezes: 6, quick: false });
  expect(parseOptions(["--quick", "--json"])).toMatchObject({ kills: 3, freezes: 1, json: true });
  expect(parseOptions(["--kills", "7", "--write"])).toMatchObject({ kills: 7, write: true });
  expect(() => parseOptions(["--kills", "none"])).toThrow(
    "--kills must be a number from 1 to 1000",
  );
  expect(() => parseOptions(["--fast"])).toThrow("usage: scripts/chaos");
});
