import { describe, expect, test } from "bun:test";
import { eventually } from "../../support/eventually.ts";
import type { SinkStage } from "../../support/smtp-sink/behaviour.ts";
import { openSmtpRig, quickTimeouts } from "../support/smtp-rig.ts";

const accepted = { kind: "accepted" };

describe("Kept-open connections", () => {
  test("carry one message after the other", async () => {
    await using rig = await openSmtpRig();
    for (const id of ["m1", "m2", "m3"]) expect(await rig.send(id)).toMatchObject(accepted);
    expect(rig.sink.sessions.opened).toBe(1);
  });

  test("are never more than allowed, however many messages wait", async () => {
    await using rig = await openSmtpRig({ connections: 3 });
    const ids = Array.from({ length: 50 }, (_, index) => `m${index}`);
    const outcomes = await Promise.all(ids.map((id) => rig.send(id)));
    expect(outcomes.every(({ kind }) => kind === "accepted")).toBe(true);
    expect(rig.sink.sessions.openMax).toBe(3);
    expect(rig.sink.countByMessageId().size).toBe(50);
  });

  test("are never more than allowed, with fresh ones for probes between", async () => {
    await using rig = await openSmtpRig({ connections: 3 });
    await Promise.all(["m1", "m2", "m3"].map((id) => rig.send(id)));
    const probes = [rig.mailer.probe(), rig.mailer.probe(), rig.mailer.probe()];
    expect(await Promise.all(probes)).toMatchObject([
      { kind: "up" },
      { kind: "up" },
      { kind: "up" },
    ]);
    expect(rig.sink.sessions).toMatchObject({ opened: 6, openMax: 3 });
  });

  test("end after as many messages as are allowed", async () => {
    await using rig = await openSmtpRig({ messagesPerConnectionMax: 2 });
    for (const id of ["m1", "m2", "m3"]) expect(await rig.send(id)).toMatchObject(accepted);
    expect(rig.sink.sessions).toMatchObject({ opened: 2, openMax: 1 });
  });

  test("end when idle", async () => {
    await using rig = await openSmtpRig({ idleMsMax: 30 });
    await rig.send("m1");
    await eventually("the idle connection ends", () => rig.sink.sessions.open === 0);
    expect(await rig.send("m2")).toMatchObject(accepted);
  });

  test("are reset after a refused message, and used on", async () => {
    await using rig = await openSmtpRig({}, { extensions: [] });
    const refused = { kind: "reply", text: "550 5.1.1 unknown" } as const;
    rig.sink.misbehave({ at: "rcpt", does: refused, times: 1 });
    expect(await rig.send("m1")).toMatchObject({ kind: "refused" });
    expect(await rig.send("m2")).toMatchObject(accepted);
    expect(rig.sink.sessions.opened).toBe(1);
  });

  test("say QUIT when the client is closed, after the messages on their way", async () => {
    await using rig = await openSmtpRig();
    rig.sink.misbehave({ at: "dot", does: { kind: "delay", ms: 50 } });
    const reached = rig.sink.reaches("dot");
    const sending = rig.send("m1");
    await reached;
    await Promise.all([rig.mailer.close(), rig.mailer.close()]);
    expect(await sending).toMatchObject(accepted);
    await eventually("no session is open", () => rig.sink.sessions.open === 0);
  });

  test("do not keep a closing client waiting for a server that ignores QUIT", async () => {
    await using rig = await openSmtpRig();
    await rig.send("m1");
    rig.sink.misbehave({ at: "quit", does: { kind: "hang" } });
    await rig.mailer.close();
    await eventually("the connection is gone", () => rig.sink.sessions.open === 0);
  });
});

describe("A kept-open connection that died", () => {
  test("while idle is replaced silently", async () => {
    await using rig = await openSmtpRig();
    await rig.send("m1");
    rig.sink.dropConnections();
    expect(await rig.send("m2")).toMatchObject(accepted);
    expect([...rig.sink.countByMessageId()]).toEqual([
      ["m1", 1],
      ["m2", 1],
    ]);
  });

  test("at MAIL FROM is replaced silently, and asks beforeContentEnds once", async () => {
    await using rig = await openSmtpRig();
    await rig.send("m1");
    rig.sink.misbehave({ at: "mail", does: { kind: "drop" }, times: 1 });
    let asked = 0;
    const beforeContentEnds = async () => {
      asked += 1;
      return true;
    };
    expect(await rig.send("m2", { beforeContentEnds })).toMatchObject(accepted);
    expect(asked).toBe(1);
  });

  test("in silence at MAIL FROM is replaced after the reply timeout", async () => {
    await using rig = await openSmtpRig(quickTimeouts);
    await rig.send("m1");
    rig.sink.misbehave({ at: "mail", does: { kind: "hang" }, times: 1 });
    expect(await rig.send("m2")).toMatchObject(accepted);
  });

  test("with 421 at MAIL FROM is replaced silently", async () => {
    await using rig = await openSmtpRig();
    await rig.send("m1");
    const does = { kind: "reply", text: "421 4.4.2 idle for too long", close: true } as const;
    rig.sink.misbehave({ at: "mail", does, times: 1 });
    expect(await rig.send("m2")).toMatchObject(accepted);
  });

  test("is replaced once: a fresh one that dies too is reported", async () => {
    await using rig = await openSmtpRig();
    await rig.send("m1");
    rig.sink.misbehave({ at: "mail", does: { kind: "drop" } });
    expect(await rig.send("m2")).toMatchObject({ kind: "lost" });
    expect(rig.sink.sessions.opened).toBe(2);
  });

  test("is replaced once: a server that is gone is reported", async () => {
    await using rig = await openSmtpRig();
    await rig.send("m1");
    await rig.sink.refuse();
    expect(await rig.send("m2")).toMatchObject({ kind: "server_down", cause: "connect" });
    await rig.sink.listen();
    expect(await rig.send("m3")).toMatchObject(accepted);
  });

  test("after RCPT is not replaced: the mail is lost", async () => {
    await using rig = await openSmtpRig({}, { extensions: [] });
    await rig.send("m1");
    rig.sink.misbehave({ at: "rcpt", does: { kind: "drop" }, times: 1 });
    expect(await rig.send("m2")).toMatchObject({ kind: "lost" });
  });

  test("after the dot is never replaced", async () => {
    await using rig = await openSmtpRig();
    await rig.send("m1");
    rig.sink.misbehave({ at: "dot", does: { kind: "drop", count: true }, times: 1 });
    expect(await rig.send("m2")).toMatchObject({ kind: "ambiguous" });
    expect(rig.sink.countByMessageId().get("m2")).toBe(1);
  });
});

describe("Waiting for a connection", () => {
  test("is in the order of the calls", async () => {
    await using rig = await openSmtpRig();
    await Promise.all(["m1", "m2", "m3", "m4"].map((id) => rig.send(id)));
    expect(rig.sink.accepted.map(({ messageId }) => messageId)).toEqual(["m1", "m2", "m3", "m4"]);
  });

  test("ends with an aborted signal: withheld, and nothing was asked", async () => {
    await using rig = await openSmtpRig();
    rig.sink.misbehave({ at: "dot", does: { kind: "delay", ms: 50 } });
    const reached = rig.sink.reaches("dot");
    const first = rig.send("m1");
    await reached;
    const abort = new AbortController();
    let asked = false;
    const beforeContentEnds = async () => {
      asked = true;
      return true;
    };
    const second = rig.send("m2", { signal: abort.signal, beforeContentEnds });
    abort.abort();
    expect(await second).toEqual({ kind: "withheld" });
    expect(asked).toBe(false);
    expect(await first).toMatchObject(accepted);
    expect(await rig.send("m3")).toMatchObject(accepted);
  });
});

const limits = (line: string) => ({ extensions: ["PIPELINING", line] });
const exhausted: readonly (readonly [SinkStage, string])[] = [
  ["rcpt", "452 4.5.3 Error: too many recipients"],
  ["rcpt", "450 4.7.1 too many mails in this session"],
  ["data", "451 4.4.2 idle for too long"],
  ["mail", "421 too many messages in this connection"],
  ["mail", "451 4.4.2 timeout"],
  ["rcpt", "421 4.7.0 Messages per connection exceeded"],
  ["dot", "452 4.5.3 too many messages in this session"],
];

describe("An exhausted connection", () => {
  for (const [at, text] of exhausted) {
    test(`with ${text} at ${at} is replaced by a fresh one before the attempt counts`, async () => {
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

describe("LIMITS that a server announces are honoured", () => {
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

  test("a value that is no number is no limit", async () => {
    await using rig = await openSmtpRig({}, limits("LIMITS MAILMAX=0 RCPTDOMAINMAX=many"));
    for (const id of ["m1", "m2", "m3"]) await rig.send(id, { to: `a@${id}.example` });
    expect(rig.sink.sessions.opened).toBe(1);
  });
});
