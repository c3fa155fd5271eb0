import { describe, expect, test } from "bun:test";
import type { SinkStage } from "../../support/smtp-sink/behaviour.ts";
import { openSmtpRig } from "../support/smtp-rig.ts";

const accepted = { kind: "accepted" };
const limits = (line: string) => ({ extensions: ["PIPELINING", line] });
const spent: readonly (readonly [SinkStage, string])[] = [
  ["rcpt", "452 4.5.3 Error: too many recipients"],
  ["rcpt", "450 4.7.1 too many mails in this session"],
  ["data", "451 4.4.2 idle for too long"],
  ["mail", "421 too many messages in this connection"],
  ["mail", "451 4.4.2 timeout"],
  ["rcpt", "421 4.7.0 Messages per connection exceeded"],
  ["dot", "452 4.5.3 too many messages in this session"],
];

describe("A spent connection", () => {
  for (const [at, text] of spent) {
    test(`with ${text} at ${at} is replaced by a fresh one before the try counts`, async () => {
      await using rig = await openSmtpRig();
      expect(await rig.send("m1")).toMatchObject(accepted);
      rig.sink.misbehave({ at, does: { kind: "reply", text }, times: 1 });
      expect(await rig.send("m2")).toMatchObject(accepted);
      expect(rig.sink.sessions).toMatchObject({ opened: 2 });
      expect([...rig.sink.countByMessageId().values()]).toEqual([1, 1]);
    });
  }

  test("is replaced once: what the fresh one says counts", async () => {
    await using rig = await openSmtpRig();
    await rig.send("m1");
    rig.sink.misbehave({ at: "rcpt", does: { kind: "reply", text: "452 4.5.3 too many" } });
    expect(await rig.send("m2")).toMatchObject({ kind: "deferred", code: 452 });
    expect(rig.sink.sessions.opened).toBe(2);
  });

  test("is not what a deferral of the message means", async () => {
    await using rig = await openSmtpRig();
    await rig.send("m1");
    rig.sink.misbehave({ at: "rcpt", does: { kind: "reply", text: "450 4.2.1 greylisted" } });
    expect(await rig.send("m2")).toMatchObject({ kind: "deferred" });
    expect(rig.sink.sessions.opened).toBe(1);
  });

  test("carries any number of mails where neither side has a limit", async () => {
    await using rig = await openSmtpRig();
    for (let mail = 0; mail < 120; mail += 1) await rig.send(`m${mail}`);
    expect(rig.sink).toMatchObject({ acceptedTotal: 120, sessions: { opened: 1 } });
  });
});

describe("What a server announces by LIMITS is honoured", () => {
  test("MAILMAX, also where our own limit is higher", async () => {
    const own = { messagesPerConnectionMax: 3 };
    await using rig = await openSmtpRig(own, limits("LIMITS RCPTMAX=1 MAILMAX=2"));
    for (const id of ["m1", "m2", "m3", "m4", "m5"]) await rig.send(id);
    expect(rig.sink.sessions).toMatchObject({ opened: 3, openMax: 1 });
  });

  test("RCPTDOMAINMAX: another domain goes on another connection", async () => {
    await using rig = await openSmtpRig({}, limits("LIMITS RCPTDOMAINMAX=1"));
    await rig.send("m1", { to: "ana@one.example" });
    await rig.send("m2", { to: "ben@ONE.example" });
    await rig.send("m3", { to: "ana@two.example" });
    expect(rig.sink).toMatchObject({ acceptedTotal: 3, sessions: { opened: 2, openMax: 1 } });
  });

  test("a value that is none is no limit", async () => {
    await using rig = await openSmtpRig({}, limits("LIMITS MAILMAX=0 RCPTDOMAINMAX=many"));
    for (const id of ["m1", "m2", "m3"]) await rig.send(id, { to: `a@${id}.example` });
    expect(rig.sink.sessions.opened).toBe(1);
  });
});
