import { expect, test } from "bun:test";
import net from "node:net";
import { HoldProxy } from "../../../scripts/faults/hold-proxy.ts";
import { createRedisWire } from "../../../scripts/faults/redis-wire.ts";
import { eventually } from "../../../support/eventually.ts";

/** A server that answers each command with its second word, and a client of it through a proxy. */
async function openRig() {
  const stack = new AsyncDisposableStack();
  const heard: string[] = [];
  const wire = createRedisWire();
  const server = net.createServer((socket) => {
    socket.on("data", (bytes: Buffer) => {
      for (const word of bytes.toString().matchAll(/\$\d+\r\n(\w+)/g)) {
        heard.push(word[1] ?? "");
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
    ...{ proxy, heard, client },
    say: (...words: string[]) => {
      for (const word of words) client.write(`*1\r\n$${word.length}\r\n${word}\r\n`);
    },
    answers: () => [...answers.matchAll(/\+(\w+)\r\n/g)].map((found) => found[1]),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const fits = ([word]: readonly string[]) => word === "stop";

test("passes requests and replies", async () => {
  await using rig = await openRig();
  rig.say("one", "two");
  await eventually("both are answered", () => rig.answers().length === 2);
  expect(rig.answers()).toEqual(["one", "two"]);
});

test("holds a request and all behind it until it is released", async () => {
  await using rig = await openRig();
  const hold = rig.proxy.hold({ at: "request", fits });
  rig.say("one", "stop", "two");
  await hold.untilCaught(1, 0);
  await eventually("the first is answered", () => rig.answers().length === 1);
  expect(rig.heard).toEqual(["one"]);
  hold.release();
  await eventually("all are answered", () => rig.answers().length === 3);
  expect(rig.answers()).toEqual(["one", "stop", "two"]);
});

test("holds a reply while the server hears all", async () => {
  await using rig = await openRig();
  const hold = rig.proxy.hold({ at: "reply", fits });
  rig.say("one", "stop", "two");
  await eventually("the server heard all", () => rig.heard.length === 3);
  await eventually("the first is answered", () => rig.answers().length === 1);
  expect(rig.answers()).toEqual(["one"]);
  hold.release();
  await eventually("all are answered", () => rig.answers().length === 3);
});

test("drops what it holds, with its connection", async () => {
  await using rig = await openRig();
  const hold = rig.proxy.hold({ at: "request", fits });
  rig.say("one", "stop");
  await hold.untilCaught(1, 0);
  const closed = new Promise((resolve) => rig.client.once("close", resolve));
  hold.drop();
  await closed;
  expect(rig.heard).toEqual(["one"]);
});

test("catches nothing more once it is shut, and counts what it caught", async () => {
  await using rig = await openRig();
  const hold = rig.proxy.hold({ at: "reply", fits });
  rig.say("stop", "stop");
  await hold.untilCaught(2, 1000);
  expect(hold.caught).toBe(2);
  hold.shut();
  rig.say("stop");
  await eventually("the server heard all", () => rig.heard.length === 3);
  expect(hold.caught).toBe(2);
});
