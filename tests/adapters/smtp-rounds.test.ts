import { describe, expect, test } from "bun:test";
import type { SendOutcome } from "../../src/email/mailer/mailer.ts";
import type { SmtpMailerOptions } from "../../src/email/mailer/smtp/smtp.ts";
import { eventually } from "../../support/eventually.ts";
import type { SinkAction, SinkStage } from "../../support/smtp-sink/behaviour.ts";
import { testCertificates } from "../../support/smtp-sink/listener.ts";
import type { SmtpSinkOptions } from "../../support/smtp-sink/smtp-sink.ts";
import { RecordedSubmission, submitAndAllow } from "../contract/mailer.ts";
import { openSmtpRig, quickTimeouts } from "../support/smtp-rig.ts";

const certificates = testCertificates();
const accepted = { kind: "accepted" };

/** A rig whose connections are open and known to answer soon. `reads`: what the server read since. */
async function openWarmRig(
  options: Partial<SmtpMailerOptions> = {},
  sinkOptions: SmtpSinkOptions = {},
) {
  const reads: string[] = [];
  const onRead = (bytes: string) => void reads.push(bytes);
  const rig = await openSmtpRig(options, { ...sinkOptions, onRead });
  const first = Array.from(
    { length: options.connections ?? 1 },
    (_, index) => new RecordedSubmission(`first-${index}`),
  );
  for (const mail of first) rig.mailer.submit(mail);
  const endings = await Promise.all(first.map(({ taken }) => taken.promise));
  for (const ending of endings) ending.allow();
  await Promise.all(first.map(({ done }) => done.promise));
  reads.length = 0;
  const submit = (id: string, given: ConstructorParameters<typeof RecordedSubmission>[1] = {}) => {
    const mail = new RecordedSubmission(id, given);
    rig.mailer.submit(mail);
    return mail;
  };
  const { sink, mailer, send } = rig;
  const dispose = () => rig[Symbol.asyncDispose]();
  return { sink, mailer, send, reads, submit, [Symbol.asyncDispose]: dispose };
}

/** So that the dot is a read of its own. */
async function allowOnceRead({ reads }: WarmRig, mail: RecordedSubmission): Promise<void> {
  const ending = await mail.taken.promise;
  const id = `<${mail.message.messageId}@`;
  await eventually("the content is there", () => reads.some((bytes) => bytes.includes(id)));
  ending.allow();
}

type WarmRig = Awaited<ReturnType<typeof openWarmRig>>;

/** m1's dot is on the way, and m2's envelope behind it in the same write. */
async function submitTwo(rig: WarmRig, options: Parameters<WarmRig["submit"]>[1] = {}) {
  const [m1, m2] = [rig.submit("m1"), rig.submit("m2", options)];
  await allowOnceRead(rig, m1);
  await eventually("the dot is there", () => rig.reads.some((bytes) => bytes.startsWith(".\r\n")));
  return { m1, m2 };
}

const behind = expect.stringMatching(/^\.\r\nMAIL FROM:<.*>\r\nRCPT TO:<.*>\r\nDATA\r\n$/);

describe("With pipelining", () => {
  test("a mail takes two writes: its content, and its dot with the next one's envelope", async () => {
    await using rig = await openWarmRig();
    const { m1, m2 } = await submitTwo(rig);
    await allowOnceRead(rig, m2);
    expect(await Promise.all([m1.done.promise, m2.done.promise])).toMatchObject([
      accepted,
      accepted,
    ]);
    const content = expect.stringContaining("Message-ID: <m");
    const envelope = expect.stringMatching(/^MAIL FROM:<.*>\r\nRCPT TO:<.*>\r\nDATA\r\n$/);
    expect(rig.reads).toEqual([envelope, content, behind, content, ".\r\n"]);
    expect(rig.sink.sessions.opened).toBe(1);
  });

  test("nothing goes behind the first dot of a connection, nor behind one that answered late", async () => {
    await using rig = await openWarmRig();
    const does: SinkAction = { kind: "delay", ms: 300 };
    rig.sink.misbehave({ at: "dot", does, times: 1 });
    expect(await rig.send("slow")).toMatchObject(accepted);
    rig.reads.length = 0;
    const { m1, m2 } = await submitTwo(rig);
    await allowOnceRead(rig, m2);
    expect(await Promise.all([m1.done.promise, m2.done.promise])).toMatchObject([
      accepted,
      accepted,
    ]);
    expect(rig.reads.filter((bytes) => bytes.startsWith("."))).toEqual([".\r\n", ".\r\n"]);
  });

  for (const [mode, tls] of [
    ["starttls", { mode: "starttls", ...certificates.good }],
    ["implicit", { mode: "implicit", ...certificates.good }],
  ] as const) {
    test(`the same over TLS, ${mode}`, async () => {
      const client = { tls: mode, ca: certificates.authority };
      await using rig = await openWarmRig(client, { tls });
      const { m1, m2 } = await submitTwo(rig);
      (await m2.taken.promise).allow();
      expect(await Promise.all([m1.done.promise, m2.done.promise])).toMatchObject([
        accepted,
        accepted,
      ]);
      expect(rig.reads).toContainEqual(behind);
    });
  }
});

test("without pipelining each command waits for its reply, also behind a dot", async () => {
  await using rig = await openWarmRig({}, { extensions: [] });
  const { m1, m2 } = await submitTwo(rig);
  (await m2.taken.promise).allow();
  expect(await Promise.all([m1.done.promise, m2.done.promise])).toMatchObject([accepted, accepted]);
  const commands = rig.reads.filter((bytes) => /^(?:MAIL|RCPT|DATA)/.test(bytes));
  expect(commands.map((bytes) => bytes.slice(0, 4))).toEqual([
    ...["MAIL", "RCPT", "DATA"],
    ...["MAIL", "RCPT", "DATA"],
  ]);
});

type Session = "stays" | "ends";
const reply = (text: string, close = false): SinkAction => ({ kind: "reply", text, close });

/**
 * What the server says to m1's dot, its outcome, and whether the session goes on. "repeated":
 * nothing was accepted, and the same on a fresh connection is. m2 goes through, once.
 */
const replies: Readonly<
  Record<string, readonly [SinkAction, SendOutcome["kind"] | "repeated", Session]>
> = {
  "a deferral": [reply("451 4.7.1 later"), "deferred", "stays"],
  "a refusal": [reply("554 5.7.1 spam"), "refused", "stays"],
  "a reply over two lines": [reply("554-5.7.1 a\r\n554 5.7.1 b"), "refused", "stays"],
  "a reply byte by byte": [{ kind: "trickle", ms: 1 }, "accepted", "stays"],
  "421": [reply("421 4.3.2 stopping", true), "repeated", "ends"],
  "421 without closing": [reply("421 4.3.2 stopping"), "repeated", "ends"],
  "too many mails": [reply("452 4.5.3 too many messages in this session"), "repeated", "ends"],
  "an internal problem": [reply("451 4.3.0 trouble"), "repeated", "ends"],
  "the end of the connection": [{ kind: "drop" }, "ambiguous", "ends"],
  "the end of the connection, accepted": [{ kind: "drop", count: true }, "ambiguous", "ends"],
  "half a reply": [{ kind: "raw", bytes: "250 2.0.0 Ok: que", close: true }, "ambiguous", "ends"],
  nonsense: [{ kind: "raw", bytes: "nonsense\r\n" }, "ambiguous", "ends"],
};

describe("The mail whose envelope went behind a dot", () => {
  for (const [name, [does, kind, session]] of Object.entries(replies)) {
    test(`goes through, after ${name}`, async () => {
      await using rig = await openWarmRig({ connections: 2 });
      rig.sink.misbehave({ at: "dot", messageId: "m1", does, times: 1 });
      // Both connections are in use, so that m2 waits.
      const other = rig.submit("other");
      await other.taken.promise;
      const { m1, m2 } = await submitTwo(rig);
      if (kind === "repeated") {
        const again = await eventually("m1 is asked again", () => m1.endings[1]);
        expect(m2.calls).toEqual([]);
        again.allow();
      }
      expect(rig.reads).toContainEqual(behind);
      (await m2.taken.promise).allow();
      (await other.taken.promise).allow();
      expect(await m2.done.promise).toMatchObject(accepted);
      expect(await other.done.promise).toMatchObject(accepted);
      expect((await m1.done.promise).kind).toBe(kind === "repeated" ? "accepted" : kind);
      expect(m2.calls).toEqual(["taken", "accepted"]);
      expect(rig.sink.countByMessageId().get("m2")).toBe(1);
      expect(rig.sink.sessions.opened).toBe(session === "stays" ? 2 : 3);
    });
  }

  test("is never taken for accepted by a reply too many to the dot", async () => {
    await using rig = await openWarmRig();
    const does: SinkAction = { kind: "reply", text: "250 Ok\r\n250 Ok", count: true };
    rig.sink.misbehave({ at: "dot", messageId: "m1", does, times: 1 });
    const { m1, m2 } = await submitTwo(rig);
    expect(await m1.done.promise).toMatchObject(accepted);
    expect(await m2.done.promise).toMatchObject({ kind: "lost" });
    expect(m2.calls).toEqual(["lost"]);
    expect(await rig.send("m3")).toMatchObject(accepted);
  });

  test("waits for the reply no longer than a second, then goes on another connection", async () => {
    await using rig = await openWarmRig({ connections: 2, finalReplyTimeoutMs: 60_000 });
    const other = rig.submit("other");
    await other.taken.promise;
    rig.sink.misbehave({ at: "dot", messageId: "m1", does: { kind: "delay", ms: 3_000 } });
    const { m1, m2 } = await submitTwo(rig);
    (await other.taken.promise).allow();
    (await m2.taken.promise).allow();
    expect(await m2.done.promise).toMatchObject(accepted);
    expect(m1.calls).toEqual(["taken"]);
    expect(await m1.done.promise).toMatchObject(accepted);
    expect([...rig.sink.countByMessageId().values()]).toEqual([1, 1, 1, 1, 1]);
  }, 10_000);

  test("is not begun when the server says nothing at all: only the other is ambiguous", async () => {
    await using rig = await openWarmRig({ ...quickTimeouts });
    rig.sink.misbehave({ at: "dot", messageId: "m1", does: { kind: "hang" } });
    const { m1, m2 } = await submitTwo(rig);
    expect(await m1.done.promise).toMatchObject({ kind: "ambiguous" });
    (await m2.taken.promise).allow();
    expect(await m2.done.promise).toMatchObject(accepted);
  });

  test("is withheld at once when it is given up, and none of its content is written", async () => {
    await using rig = await openWarmRig();
    const abort = new AbortController();
    rig.sink.misbehave({ at: "dot", messageId: "m1", does: { kind: "delay", ms: 100 } });
    const { m1, m2 } = await submitTwo(rig, { signal: abort.signal });
    abort.abort();
    expect(await m2.done.promise).toEqual({ kind: "withheld" });
    expect(m1.calls).toEqual(["taken"]);
    expect(await m1.done.promise).toMatchObject(accepted);
    expect(await rig.send("m3")).toMatchObject(accepted);
    expect(rig.reads.join("")).not.toContain("<m2@");
    expect(rig.sink.sessions.opened).toBe(2);
  });

  const stages: readonly (readonly [SinkStage, string, SendOutcome["kind"]])[] = [
    ["mail", "451 4.7.1 later", "accepted"], // on a fresh connection
    ["rcpt", "550 5.1.1 unknown", "refused"],
    ["data", "451 4.7.0 later", "deferred"],
  ];
  for (const [at, text, kind] of stages) {
    test(`${text} to its ${at.toUpperCase()} is its own reply`, async () => {
      await using rig = await openWarmRig();
      rig.sink.misbehave({ at, does: { kind: "reply", text }, skip: 1, times: 1 });
      const { m1, m2 } = await submitTwo(rig);
      void m2.taken.promise.then((ending) => ending.allow());
      expect(await m1.done.promise).toMatchObject(accepted);
      expect(await m2.done.promise).toMatchObject({ kind });
      expect(await rig.send("m3")).toMatchObject(accepted);
    });
  }
});

describe("A round over several connections", () => {
  const ids = Array.from({ length: 6 }, (_, index) => `r${index}`);
  const troubles: Readonly<Record<string, readonly [SinkAction, SendOutcome["kind"]]>> = {
    refused: [{ kind: "reply", text: "554 5.7.1 spam" }, "refused"],
    "answered with 421": [{ kind: "reply", text: "421 stopping", close: true }, "server_down"],
    dropped: [{ kind: "drop" }, "ambiguous"],
    hanging: [{ kind: "hang" }, "ambiguous"],
  };
  for (const [name, [does, kind]] of Object.entries(troubles)) {
    test(`goes on for the others when one of its mails is ${name}`, async () => {
      const timeouts = name === "hanging" ? quickTimeouts : {};
      await using rig = await openSmtpRig({ connections: ids.length, ...timeouts });
      const mails = ids.map((id) => new RecordedSubmission(id));
      for (const mail of mails) rig.mailer.submit(mail);
      const endings = await Promise.all(mails.map(({ taken }) => taken.promise));
      rig.sink.misbehave({ at: "dot", messageId: "r2", does });
      expect(rig.sink.reachedTotal.dot).toBe(0);
      for (const ending of endings) ending.allow();
      const outcomes = await Promise.all(mails.map(({ done }) => done.promise));
      const expected = ids.map((id) => (id === "r2" ? kind : "accepted"));
      expect(outcomes.map((outcome) => outcome.kind)).toEqual(expected);
    });
  }

  test("with a mail lost before its ending writes no dot for it", async () => {
    await using rig = await openSmtpRig({ connections: 3 });
    const mails = ids.slice(0, 3).map((id) => new RecordedSubmission(id));
    for (const mail of mails) rig.mailer.submit(mail);
    const endings = await Promise.all(mails.map(({ taken }) => taken.promise));
    rig.sink.dropConnections();
    await eventually("they are gone", () => rig.sink.sessions.open === 0);
    for (let turn = 0; turn < 20; turn += 1) await new Promise((done) => setImmediate(done));
    expect(mails.map(({ calls }) => calls)).toEqual([["taken"], ["taken"], ["taken"]]);
    for (const ending of endings) ending.allow();
    const outcomes = await Promise.all(mails.map(({ done }) => done.promise));
    expect(outcomes.map(({ kind }) => kind)).toEqual(["lost", "lost", "lost"]);
    expect(rig.sink.acceptedTotal).toBe(0);
  });
});

describe("Servers that are out of step", () => {
  test("what a server forgets behind a dot is sent again, and nothing goes there any more", async () => {
    await using rig = await openWarmRig({ ...quickTimeouts }, { forgetsBehindDot: true });
    const { m1, m2 } = await submitTwo(rig);
    const [m3, m4] = [rig.submit("m3"), rig.submit("m4")];
    for (const mail of [m2, m3, m4]) await allowOnceRead(rig, mail);
    const outcomes = await Promise.all([m1, m2, m3, m4].map(({ done }) => done.promise));
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(["accepted"]));
    expect(rig.reads.filter((bytes) => bytes.startsWith(".\r\nMAIL"))).toHaveLength(1);
  });

  test("354 to DATA after a refused RCPT ends an empty message, and the next mail goes through", async () => {
    await using rig = await openWarmRig();
    const text = "550 5.1.1 unknown\r\n354 go on";
    rig.sink.misbehave({ at: "rcpt", does: { kind: "reply", text }, times: 1 });
    const outcome = await rig.send("m1");
    expect(outcome).toMatchObject({ kind: "refused", code: 550, stage: "recipient" });
    expect(await rig.send("m2")).toMatchObject(accepted);
  });

  test("a reply without end closes the connection", async () => {
    await using rig = await openWarmRig();
    const line = "x".repeat(70_000);
    rig.sink.misbehave({ at: "rcpt", does: { kind: "raw", bytes: `250-${line}` }, times: 1 });
    expect(await rig.send("m1")).toMatchObject({
      kind: "lost",
      reason: expect.stringContaining("too long"),
    });
    const lines = `250-${"x".repeat(60)}\r\n`.repeat(1_500);
    rig.sink.misbehave({ at: "dot", does: { kind: "raw", bytes: lines }, times: 1 });
    expect(await rig.send("m2")).toMatchObject({
      kind: "ambiguous",
      reason: expect.stringContaining("too long"),
    });
    expect(await rig.send("m3")).toMatchObject(accepted);
  });

  test("a reply while nothing was asked ends the idle connection", async () => {
    await using rig = await openWarmRig();
    const text = "250 2.0.0 Ok\r\n250 2.0.0 Ok again";
    rig.sink.misbehave({ at: "dot", does: { kind: "reply", text, count: true }, times: 1 });
    expect(await rig.send("m1")).toMatchObject(accepted);
    await eventually("it is closed", () => rig.sink.sessions.open === 0);
    expect(await rig.send("m2")).toMatchObject(accepted);
  });
});

describe("Closing", () => {
  test("cuts what hangs after 2 s: ambiguous on the wire, withheld in the queue", async () => {
    await using rig = await openWarmRig();
    rig.sink.misbehave({ at: "dot", does: { kind: "hang" } });
    const { m1, m2 } = await submitTwo(rig);
    const m3 = rig.submit("m3");
    await rig.mailer.close();
    expect(m1.calls).toEqual(["taken", "ambiguous"]);
    expect([m2.calls, m3.calls]).toEqual([["withheld"], ["withheld"]]);
    expect(() => rig.submit("m4")).toThrow("closed");
  }, 10_000);

  test("waits for all that were submitted", async () => {
    await using rig = await openSmtpRig({ connections: 2 });
    const mails = Array.from({ length: 40 }, (_, index) => new RecordedSubmission(`m${index}`));
    const done = mails.map((mail) => submitAndAllow(rig.mailer, mail));
    await rig.mailer.close();
    expect(new Set((await Promise.all(done)).map(({ kind }) => kind))).toEqual(
      new Set(["accepted"]),
    );
  });
});
