import { describe, expect, test } from "bun:test";
import type { SendOutcome } from "../../src/email/mailer/mailer.ts";
import { eventually } from "../../support/eventually.ts";
import type { SinkStage } from "../../support/smtp-sink/behaviour.ts";
import type { SmtpRig } from "../support/smtp-rig.ts";
import { openSmtpRig } from "../support/smtp-rig.ts";

/** What the server answers, where, and what becomes of the message. */
const rows: readonly (readonly [stage: SinkStage, reply: string, outcome: Partial<SendOutcome>])[] =
  [
    ["mail", "550 5.7.1 no", { kind: "server_down", cause: "mail_from" }],
    ["mail", "451 4.7.1 later", { kind: "server_down", cause: "closing" }],
    ["rcpt", "550 5.1.8 unknown domain", { kind: "server_down", cause: "mail_from" }],
    [
      "rcpt",
      "553 5.7.1 <a@b.c>: Sender address rejected: not owned by user x",
      { kind: "server_down", cause: "mail_from" },
    ],
    ["mail", "530 5.7.0 Authentication required", { kind: "server_down", cause: "login" }],
    ["mail", "452 4.3.1 disk full", { kind: "server_down", cause: "system" }],
    ["mail", "421 4.7.0 too many", { kind: "server_down", cause: "closing" }],
    ["rcpt", "550 5.1.1 unknown", { kind: "refused", code: 550, stage: "recipient" }],
    ["rcpt", "550 5.4.5 Daily sending quota exceeded", { kind: "server_down", cause: "quota" }],
    ["rcpt", "554 5.7.1 <a@b.c>: Relay access denied", { kind: "server_down", cause: "relay" }],
    ["rcpt", "535 5.7.8 bad login", { kind: "server_down", cause: "login" }],
    ["rcpt", "550 5.2.1 The user is receiving mail too quickly", { kind: "deferred", code: 550 }],
    ["rcpt", "552 5.2.2 Mailbox full", { kind: "deferred", code: 552 }],
    ["dot", "554 Message rejected: Email address is not verified.", { cause: "mail_from" }],
    ["dot", "554 5.2.252 SendAsDenied", { kind: "server_down", cause: "mail_from" }],
    ["dot", "454 Throttling failure: Maximum sending rate exceeded.", { kind: "throttled" }],
    ["rcpt", "550 5.7.0 too many emails per second", { kind: "throttled", code: 550 }],
    ["mail", "454 Throttling failure", { kind: "throttled", code: 454 }],
    ["rcpt", "553 no dots", { kind: "refused", code: 553, enhancedCode: undefined }],
    ["rcpt", "450 4.2.1 busy", { kind: "deferred", code: 450, stage: "recipient" }],
    ["rcpt", "451 4.3.0 local error", { kind: "server_down", cause: "system" }],
    ["rcpt", "421 4.3.2 stopping", { kind: "server_down", cause: "closing" }],
    ["rcpt", "503 5.5.1 what?", { kind: "lost" }],
    ["rcpt", "354 what?", { kind: "lost" }],
    ["rcpt", "nonsense", { kind: "lost" }],
    ["data", "554 5.7.1 no", { kind: "refused", code: 554, stage: "content" }],
    ["data", "451 4.7.0 later", { kind: "deferred", code: 451, stage: "content" }],
    ["data", "452 4.3.1 disk full", { kind: "server_down", cause: "system" }],
    ["data", "421 4.7.0 stopping", { kind: "server_down", cause: "closing" }],
    ["dot", "554 5.7.1 spam", { kind: "refused", code: 554, stage: "content" }],
    ["dot", "552 5.3.4 too big", { kind: "refused", code: 552, enhancedCode: "5.3.4" }],
    ["dot", "503 5.5.1 odd", { kind: "refused", code: 503 }],
    ["dot", "451 4.7.1 later", { kind: "deferred", code: 451, stage: "content" }],
    ["dot", "451 4.3.0 queue trouble", { kind: "server_down", cause: "system" }],
    ["dot", "421 4.3.2 stopping", { kind: "server_down", cause: "closing" }],
    ["dot", "354 what?", { kind: "ambiguous" }],
    ["dot", "nonsense", { kind: "ambiguous" }],
    ["dot", "250 fine", { kind: "accepted", reply: "250 fine", queueId: undefined }],
  ];

for (const pipelining of [true, false]) {
  const extensions = pipelining ? ["PIPELINING"] : [];
  describe(`Replies ${pipelining ? "with" : "without"} pipelining`, () => {
    for (const [stage, reply, outcome] of rows) {
      test(`${reply} to ${stage} is ${outcome.kind}`, async () => {
        await using rig = await openSmtpRig({}, { extensions });
        const close = reply.startsWith("421");
        rig.sink.misbehave({ at: stage, does: { kind: "reply", text: reply, close }, times: 1 });
        expect(await rig.send("m1")).toMatchObject({ ...outcome });
        expect(await rig.send("m2")).toMatchObject({ kind: "accepted" });
      });
    }
  });
}

for (const reply of ["421 4.4.2 idle for too long", "451 4.4.2 Timeout", "450 4.7.1 later"]) {
  test(`${reply} to the next mail on a kept-open connection is no outage`, async () => {
    await using rig = await openSmtpRig();
    expect(await rig.send("m1")).toMatchObject({ kind: "accepted" });
    const close = reply.startsWith("421");
    rig.sink.misbehave({ at: "mail", does: { kind: "reply", text: reply, close }, times: 1 });
    expect(await rig.send("m2")).toMatchObject({ kind: "accepted" });
    expect(rig.sink.sessions.opened).toBe(2);
  });
}

describe("A reply", () => {
  test("to a message that another recipient gets is not affected by a refused one", async () => {
    await using rig = await openSmtpRig();
    const does = { kind: "reply", text: "550 5.1.1 unknown" } as const;
    rig.sink.misbehave({ at: "rcpt", does, recipient: "^bo@" });
    expect(await rig.send("m1", { to: "bo@example.com" })).toMatchObject({ kind: "refused" });
    expect(await rig.send("m2", { to: "ana@example.com" })).toMatchObject({ kind: "accepted" });
    expect(rig.sink.sessions.opened).toBe(1);
  });

  test("over several lines is one line, without the full address of anybody", async () => {
    await using rig = await openSmtpRig();
    const text = "550-5.1.1 <ana@example.com> is unknown\r\n550 5.1.1 ask postmaster@example.com";
    rig.sink.misbehave({ at: "rcpt", does: { kind: "reply", text } });
    expect(await rig.send("m1")).toMatchObject({
      reply: "550 5.1.1 <a***@example.com> is unknown ask p***@example.com",
    });
  });

  test("that asks for a delay passes it on", async () => {
    await using rig = await openSmtpRig();
    const text = "450 4.2.0 Greylisted, try again in 5 minutes";
    rig.sink.misbehave({ at: "rcpt", does: { kind: "reply", text } });
    expect(await rig.send("m1")).toMatchObject({ kind: "deferred", retryAfterMs: 300_000 });
  });

  test("that names the queued message gives its queue id", async () => {
    await using rig = await openSmtpRig();
    expect(await rig.send("m1")).toEqual({
      kind: "accepted",
      host: "127.0.0.1",
      reply: "250 2.0.0 Ok: queued as 00000001",
      queueId: "00000001",
    });
  });

  test("of 250 before the content ended counts for nothing", async () => {
    await using rig = await openSmtpRig();
    rig.sink.misbehave({ at: "content", does: { kind: "reply", text: "250 2.0.0 Ok" } });
    const outcome = await rig.send("m1", { beforeContentEnds: () => untilClosed(rig) });
    expect(outcome).toMatchObject({ kind: "lost" });
    expect(rig.sink.acceptedTotal).toBe(0);
  });

  test("of 552 before the content ended refuses it, and the dot is never written", async () => {
    await using rig = await openSmtpRig();
    const does = { kind: "reply", text: "552 5.3.4 too big" } as const;
    rig.sink.misbehave({ at: "content", does, times: 1 });
    const outcome = await rig.send("m1", { beforeContentEnds: () => untilClosed(rig) });
    expect(outcome).toMatchObject({ kind: "refused", stage: "content" });
    expect(await rig.send("m2")).toMatchObject({ kind: "accepted" });
    expect([...rig.sink.countByMessageId()]).toEqual([["m2", 1]]);
  });
});

/** The client has read the early answer: it closed the connection. Then lets the content end. */
function untilClosed({ sink }: SmtpRig): Promise<boolean> {
  return eventually("the client closes", () => sink.sessions.open === 0);
}
