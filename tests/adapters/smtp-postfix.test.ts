import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { dirname, join } from "node:path";
import { simpleParser } from "mailparser";
import { systemClock } from "../../src/core/time.ts";
import { composeMessage } from "../../src/email/delivery/submission.ts";
import { decodeEmailEvent, isOptionalType } from "../../src/email/event.ts";
import type { MailMessage } from "../../src/email/mailer/mailer.ts";
import type { SmtpMailerOptions } from "../../src/email/mailer/smtp/smtp.ts";
import { openSmtpMailer } from "../../src/email/mailer/smtp/smtp.ts";
import { eventTypes, sampleData } from "../../src/email/mails/mail-types.tsx";
import { createMailRenderer } from "../../src/email/templates/mail-renderer.tsx";
import { answersSmtp, choosePort } from "../../support/engines/server.ts";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import { testCertificates } from "../../support/smtp-sink/listener.ts";
import type { SmtpSink } from "../../support/smtp-sink/smtp-sink.ts";
import { openSmtpSink } from "../../support/smtp-sink/smtp-sink.ts";
import { testDkim, verifyDkim } from "../support/dkim.ts";
import type { Postfix } from "../support/postfix.ts";
import { startPostfix } from "../support/postfix.ts";

const postconf = findEngine("postfix");
const login = { user: "mailer", password: "se-cr-et 6ü" };
const unknown = "nobody@example.org";
const unsubscribeUrl = `https://example.com/unsubscribe/${"t".repeat(300)}`;
let sink: SmtpSink;
let postfix: Postfix;

/** A real Postfix as the provider: it takes our mail over TLS and a login, and relays it to the sink. */
describe.skipIf(postconf === undefined)("Mail through Postfix", () => {
  beforeAll(async () => {
    sink = await openSmtpSink();
    postfix = await startPostfix({
      postconf: postconf ?? "",
      certificates: testCertificates(),
      ...login,
      senders: ["noreply@example.com", "bounces@mail.example.com"],
      unknown,
      relayPort: sink.port,
    });
  });
  afterAll(async () => {
    await postfix?.[Symbol.asyncDispose]();
    await sink?.close();
  });

  testEveryMail();
  testPorts();
  testFailures();
});

function open(options: Partial<SmtpMailerOptions> = {}) {
  return openSmtpMailer({
    host: "localhost",
    port: postfix.ports.starttls,
    tls: "starttls",
    ca: testCertificates().authority,
    ...login,
    connections: 2,
    connectTimeoutMs: 5_000,
    greetingTimeoutMs: 10_000,
    replyTimeoutMs: 10_000,
    from: "noreply@example.com",
    fromName: "Bücher & Söhne",
    dkim: testDkim,
    ...options,
  });
}

const allow = { beforeContentEnds: async () => true };

async function arrivedMail(messageId: string): Promise<string> {
  const find = () => sink.accepted.find((mail) => mail.messageId === messageId)?.data;
  await eventually(`${messageId} arrives`, () => find() !== undefined);
  return find() ?? "";
}

function messageOf(type: (typeof eventTypes)[number], locale: string, to = "ana@example.org") {
  const now = Date.now();
  const wire = {
    message_id: `${type}-${locale}-${now}`,
    event_type: type,
    timestamp: new Date(now).toISOString(),
    recipient: to,
    data: { ...sampleData(type, now), locale },
  };
  const decoded = decodeEmailEvent(Buffer.from(JSON.stringify(wire)));
  if (decoded.kind === "poison") throw new Error(decoded.reason);
  const unsubscribeLink = () => (isOptionalType(type) ? unsubscribeUrl : undefined);
  const options = { appName: "Bücher 📚", fallbackLocale: "en", codeInSubject: false };
  const render = createMailRenderer(options);
  return composeMessage(
    { clock: systemClock, unsubscribeLink, render, feedbackSender: "acme-mails" },
    decoded.event,
  );
}

const words = (text: string | undefined) => text?.replace(/\s+/g, " ").trim();

async function expectArrived(message: MailMessage, optional: boolean): Promise<void> {
  const data = await arrivedMail(message.messageId);
  expect(data).toMatch(/^Received: .*using TLSv1\.[23] .*with (?:ESMTP|UTF8SMTP)SA/ms);
  const parsed = await simpleParser(data);
  expect(parsed.subject).toBe(message.subject);
  expect(words(parsed.text)).toBe(words(message.text));
  expect(words(parsed.html || "")).toBe(words(message.html));
  expect(parsed.from?.value).toEqual([{ address: "noreply@example.com", name: "Bücher & Söhne" }]);
  expect(parsed.messageId).toBe(`<${message.messageId}@example.com>`);
  const [signature, ...others] = await verifyDkim(data);
  expect(others).toEqual([]);
  expect(signature).toMatchObject({ result: "pass", domain: "example.com" });
  const mustBeSigned = ["from", "to", "subject", "date", "message-id", "mime-version"];
  if (optional) mustBeSigned.push("list-unsubscribe", "list-unsubscribe-post");
  expect(signature?.fields).toEqual(expect.arrayContaining(mustBeSigned));
  expect(parsed.headers.has("list")).toBe(optional);
}

function testEveryMail(): void {
  const languages = ["en", "es", "ru"];
  test("each type in each language arrives over STARTTLS, whole and with a valid signature", async () => {
    await using mailer = open({ envelopeFrom: "bounces@mail.example.com" });
    const sent = languages.flatMap((locale) =>
      eventTypes.map((type) => ({ type, message: messageOf(type, locale) })),
    );
    for (const { message } of sent) {
      expect(await mailer.send(message, allow)).toMatchObject({
        kind: "accepted",
        reply: expect.stringContaining("queued as"),
      });
    }
    for (const { type, message } of sent) await expectArrived(message, isOptionalType(type));
    expect(new Set(sink.accepted.map(({ from }) => from))).toEqual(
      new Set(["bounces@mail.example.com"]),
    );
  });

  test("an address with letters beyond ASCII before the @ arrives by SMTPUTF8", async () => {
    await using mailer = open();
    const message = messageOf("welcome", "ru", "анна@bücher.example");
    expect(message.to).toBe("анна@xn--bcher-kva.example");
    expect(await mailer.send(message, allow)).toMatchObject({ kind: "accepted" });
    await expectArrived(message, true);
    expect(sink.accepted.at(-1)?.to).toEqual([message.to]);
  });
}

function testPorts(): void {
  test("implicit TLS and AUTH LOGIN do as well as STARTTLS and AUTH PLAIN", async () => {
    const talk: string[] = [];
    await using mailer = open({
      port: postfix.ports.implicit,
      tls: "implicit",
      onTranscript: ({ text }) => talk.push(text),
    });
    const message = messageOf("verification_code", "en");
    expect(await mailer.send(message, allow)).toMatchObject({ kind: "accepted" });
    await expectArrived(message, false);
    expect(talk).toContain("AUTH LOGIN");
    expect(talk.join("\n")).not.toContain(btoa("mailer"));
    expect(talk).not.toContain("STARTTLS");
  });
}

function testFailures(): void {
  const rows = {
    "a wrong password": {
      options: () => ({ password: "wrong" }),
      outcome: { kind: "server_down", cause: "login" },
      says: "check SMTP_USER and SMTP_PASSWORD",
    },
    "an expired certificate": {
      options: () => ({ port: postfix.ports.expired }),
      outcome: { kind: "server_down", cause: "certificate" },
      says: "it has expired; the server's operator must renew it",
    },
    "a certificate of an authority that is not known": {
      options: () => ({ ca: undefined }),
      outcome: { kind: "server_down", cause: "certificate" },
      says: "put a private authority into SMTP_CA_FILE",
    },
    "no TLS where it is wanted": {
      options: () => ({ tls: "none" as const, user: undefined, password: undefined }),
      outcome: { kind: "server_down" },
      says: "530 5.7.0 Must issue a STARTTLS command first",
    },
    "a sender that is not this login's": {
      options: () => ({ envelopeFrom: "eve@example.com" }),
      outcome: { kind: "server_down", cause: "mail_from" },
      says: "not owned by user",
    },
    "a recipient that is not known": {
      to: unknown,
      options: () => ({}),
      outcome: { kind: "refused", code: 550, enhancedCode: "5.1.1", stage: "recipient" },
      says: "No such user",
    },
  };
  for (const [name, row] of Object.entries(rows)) {
    test(`${name} is reported as such`, async () => {
      await using mailer = open(row.options());
      const to = "to" in row ? row.to : "ana@example.org";
      const before = sink.acceptedTotal;
      const outcome = await mailer.send(messageOf("welcome", "en", to), allow);
      expect(outcome).toMatchObject(row.outcome);
      expect(JSON.stringify(outcome)).toContain(row.says);
      expect(JSON.stringify(outcome)).not.toContain(login.password);
      expect(sink.acceptedTotal).toBe(before);
    });
  }
}

/** Beside our own sink, one that somebody else wrote. */
const sinkProgram = join(dirname(postconf ?? ""), "smtp-sink");

async function startPostfixSink(port: number, flags: readonly string[]) {
  const user = process.getuid?.() === 0 ? ["-u", "postfix"] : [];
  const child = Bun.spawn([sinkProgram, ...user, ...flags, `127.0.0.1:${port}`, "100"], {
    stdout: "ignore",
    stderr: "ignore",
  });
  await eventually("smtp-sink listens", () => answersSmtp({ host: "127.0.0.1", port }));
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

function sendMany(port: number, messages: number) {
  const mailer = openSmtpMailer({
    host: "127.0.0.1",
    port,
    tls: "none",
    connections: 4,
    connectTimeoutMs: 5_000,
    greetingTimeoutMs: 5_000,
    replyTimeoutMs: 5_000,
    from: "noreply@example.com",
  });
  const send = (index: number) =>
    mailer.send(
      { messageId: `m${index}`, to: "ana@example.com", subject: "Hi", text: ".\n", html: "<p>" },
      { beforeContentEnds: async () => true },
    );
  const sending = Promise.all(Array.from({ length: messages }, (_, index) => send(index)));
  return sending.finally(() => mailer.close());
}

test.skipIf(postconf === undefined)("Postfix's sink accepts a few hundred mails", async () => {
  const port = await choosePort(0);
  await using _ = await startPostfixSink(port, []);
  const outcomes = await sendMany(port, 300);
  expect(outcomes.every(({ kind }) => kind === "accepted")).toBe(true);
});

const misbehaviours = {
  "-f RCPT": { kind: "refused", code: 500, stage: "recipient" },
  "-r RCPT": { kind: "server_down", cause: "system" }, // 450 4.3.0
  "-q RCPT": { kind: "lost" }, // drops
  "-f .": { kind: "refused", code: 500, stage: "content" },
  "-q .": { kind: "ambiguous" },
} as const;
for (const [flags, outcome] of Object.entries(misbehaviours)) {
  test.skipIf(postconf === undefined)(`Postfix's sink with ${flags}: ${outcome.kind}`, async () => {
    const port = await choosePort(0);
    await using _ = await startPostfixSink(port, flags.split(" "));
    expect(await sendMany(port, 1)).toMatchObject([outcome]);
  });
}
