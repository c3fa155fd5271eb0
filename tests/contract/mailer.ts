import { describe, expect, test } from "bun:test";
import type { Mailer, MailMessage, SendOptions } from "../../src/email/mailer/mailer.ts";
import { sendBySubmitting } from "../../src/email/mailer/mailer.ts";

/** A mail as the other side has it. */
export interface ArrivedMail {
  readonly messageId: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** The Message-ID header, with its brackets. */
  readonly messageIdHeader: string;
  readonly header: (name: string) => string | undefined;
}

interface OpenedMailer extends AsyncDisposable {
  readonly mailer: Mailer;
  /** Everything that was accepted, oldest first. */
  arrived(): readonly ArrivedMail[];
}

const message: MailMessage = {
  messageId: "0190c1a2-7d43",
  to: "ana@example.com",
  subject: "Your code",
  text: "Your code is 123456.\n",
  html: "<p>Your code is <b>123456</b>.</p>\n",
};
const allow: SendOptions = { beforeContentEnds: async () => true };

/** The promises of `Mailer`, for every adapter. */
export function testMailer(name: string, open: () => Promise<OpenedMailer>): void {
  describe(`Mailer on ${name}`, () => {
    testContent(open);
    testTheEnd(open);
    testSignals(open);
    testConcurrency(open);
    testSubmissions(open);
  });
  const openBySubmitting = async () => bySubmitting(await open());
  describe(`Mailer on ${name}, by submit`, () => {
    testContent(openBySubmitting);
    testTheEnd(openBySubmitting);
    testSignals(openBySubmitting);
    testConcurrency(openBySubmitting);
  });
}

function bySubmitting(opened: OpenedMailer): OpenedMailer {
  const { mailer } = opened;
  const send: Mailer["send"] = (mail, options) => sendBySubmitting(mailer, mail, options);
  const adapted = new Proxy(mailer, {
    get: (target, name) => {
      const value: unknown = name === "send" ? send : Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { ...opened, mailer: adapted };
}

function testContent(open: () => Promise<OpenedMailer>): void {
  test("a message that was accepted has arrived, as it was given", async () => {
    await using opened = await open();
    const outcome = await opened.mailer.send(message, allow);
    expect(outcome).toMatchObject({ kind: "accepted", reply: expect.stringMatching(/^250 /) });
    const [mail, ...others] = opened.arrived();
    expect(others).toEqual([]);
    expect(mail).toMatchObject({ to: message.to, subject: message.subject });
    expect(lines(mail?.text)).toEqual(lines(message.text));
    expect(lines(mail?.html)).toEqual(lines(message.html));
  });

  test("any text survives: other scripts, dots, long lines, trailing spaces", async () => {
    await using opened = await open();
    const text = `.\n..\n.dot\nGrüße, 你好 🙂 \n\n${"long ".repeat(400)}\nend\n.`;
    const html = `<p>${"ü".repeat(2_000)}</p>\n.\n<p>=3D = =?utf-8?Q?x?=</p>`;
    const subject = "Ihr Anmelde-Code für das Konto „Überraschung“ – gültig für zehn Minuten 🙂";
    await opened.mailer.send({ ...message, subject, text, html }, allow);
    const [mail] = opened.arrived();
    expect(mail?.subject).toBe(subject);
    expect(lines(mail?.text)).toEqual(lines(text));
    expect(lines(mail?.html)).toEqual(lines(html));
  });

  test("further header fields stand as they are", async () => {
    await using opened = await open();
    const url = `https://example.com/unsubscribe/${"t".repeat(200)}`;
    const headers = { "List-Unsubscribe": `<${url}>`, "Auto-Submitted": "auto-generated" };
    await opened.mailer.send({ ...message, headers }, allow);
    const [mail] = opened.arrived();
    expect(mail?.header("List-Unsubscribe")).toBe(`<${url}>`);
    expect(mail?.header("Auto-Submitted")).toBe("auto-generated");
  });

  test("a subject cannot start a header field of its own", async () => {
    await using opened = await open();
    const subject = "Hello\r\nX-Injected: yes\r\n\r\nbody";
    await opened.mailer.send({ ...message, subject }, allow);
    expect(opened.arrived()[0]?.header("X-Injected")).toBeUndefined();
  });

  test("the same message sent twice is two mails with one Message-ID", async () => {
    await using opened = await open();
    await opened.mailer.send(message, allow);
    await opened.mailer.send(message, allow);
    const ids = opened.arrived().map(({ messageIdHeader }) => messageIdHeader);
    expect(ids).toEqual([ids[0] ?? "", ids[0] ?? ""]);
    expect(ids[0]).toMatch(/^<0190c1a2-7d43@[a-z.]+>$/);
  });
}

function testTheEnd(open: () => Promise<OpenedMailer>): void {
  test("beforeContentEnds is asked once, and nothing arrives while it is pending", async () => {
    await using opened = await open();
    let asked = 0;
    const askedOnce = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<boolean>();
    const beforeContentEnds = () => {
      asked += 1;
      askedOnce.resolve();
      return answer.promise;
    };
    const sending = opened.mailer.send(message, { beforeContentEnds });
    await askedOnce.promise;
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(opened.arrived()).toEqual([]);
    answer.resolve(true);
    expect(await sending).toMatchObject({ kind: "accepted" });
    expect([asked, opened.arrived().length]).toEqual([1, 1]);
  });

  const refusals: Readonly<Record<string, SendOptions["beforeContentEnds"]>> = {
    "resolves false": async () => false,
    rejects: () => Promise.reject(new Error("the ledger is away")),
    throws: () => {
      throw new Error("the ledger is away");
    },
  };
  for (const [what, beforeContentEnds] of Object.entries(refusals)) {
    test(`withheld when beforeContentEnds ${what}; the next message goes through`, async () => {
      await using opened = await open();
      const outcome = await opened.mailer.send(message, { beforeContentEnds });
      expect(outcome).toEqual({ kind: "withheld" });
      const next = await opened.mailer.send({ ...message, messageId: "next" }, allow);
      expect(next).toMatchObject({ kind: "accepted" });
      expect(opened.arrived().map(({ messageId }) => messageId)).toEqual(["next"]);
    });
  }
}

function testSignals(open: () => Promise<OpenedMailer>): void {
  test("a signal aborted before withholds the message", async () => {
    await using opened = await open();
    const outcome = await opened.mailer.send(message, { ...allow, signal: AbortSignal.abort() });
    expect(outcome).toEqual({ kind: "withheld" });
    expect(opened.arrived()).toEqual([]);
  });

  test("a signal aborted while beforeContentEnds is pending withholds the message", async () => {
    await using opened = await open();
    const abort = new AbortController();
    const beforeContentEnds = async () => {
      abort.abort();
      return true;
    };
    const outcome = await opened.mailer.send(message, { beforeContentEnds, signal: abort.signal });
    expect(outcome).toEqual({ kind: "withheld" });
    expect(opened.arrived()).toEqual([]);
  });

  test("the outcome waits for a beforeContentEnds that is still pending", async () => {
    await using opened = await open();
    const abort = new AbortController();
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<boolean>();
    const beforeContentEnds = () => {
      asked.resolve();
      return answer.promise;
    };
    let settled = false;
    const sending = opened.mailer
      .send(message, { beforeContentEnds, signal: abort.signal })
      .finally(() => {
        settled = true;
      });
    await asked.promise;
    abort.abort();
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(settled).toBe(false);
    answer.resolve(true);
    expect(await sending).toEqual({ kind: "withheld" });
  });
}

function testSubmissions(open: () => Promise<OpenedMailer>): void {
  test("of many mails of one turn each has its own end, and none is called back from within", async () => {
    await using opened = await open();
    let isSubmitting = true;
    const calls: string[] = [];
    const call = (messageId: string, what: string) => {
      expect(isSubmitting).toBe(false);
      calls.push(`${messageId} ${what}`);
    };
    const outcomes = Array.from({ length: 60 }, (_, index) => {
      const messageId = `m-${index}`;
      const signal = index % 5 === 0 ? AbortSignal.abort() : undefined;
      return new Promise<string>((resolve) => {
        opened.mailer.submit({
          message: { ...message, messageId },
          signal,
          contentTaken: (ending) => {
            call(messageId, "contentTaken");
            if (index % 3 === 0) ending.withhold();
            else ending.allow();
          },
          settled: ({ kind }) => {
            call(messageId, "settled");
            resolve(kind);
          },
        });
      });
    });
    isSubmitting = false;
    const wanted = outcomes.map((_, index) =>
      index % 5 === 0 || index % 3 === 0 ? "withheld" : "accepted",
    );
    expect(await Promise.all(outcomes)).toEqual(wanted);
    expect(new Set(calls).size).toBe(calls.length);
    expect(calls.filter((one) => one.endsWith("settled")).length).toBe(60);
    expect(calls.filter((one) => one.endsWith("contentTaken")).length).toBe(48);
    const accepted = wanted.flatMap((kind, index) => (kind === "accepted" ? [`m-${index}`] : []));
    const arrived = opened.arrived().map(({ messageId }) => messageId);
    expect(arrived.toSorted()).toEqual(accepted.toSorted());
  });
}

function testConcurrency(open: () => Promise<OpenedMailer>): void {
  test("many messages at once arrive once each", async () => {
    await using opened = await open();
    const ids = Array.from({ length: 200 }, (_, index) => `m-${index}`);
    const send = (messageId: string) => opened.mailer.send({ ...message, messageId }, allow);
    const outcomes = await Promise.all(ids.map(send));
    expect(outcomes.every(({ kind }) => kind === "accepted")).toBe(true);
    const arrived = opened.arrived().map(({ messageId }) => messageId);
    expect(arrived.toSorted()).toEqual(ids.toSorted());
  });

  test("a probe finds the server and sends nothing", async () => {
    await using opened = await open();
    expect(await opened.mailer.probe()).toMatchObject({ kind: "up" });
    expect(opened.arrived()).toEqual([]);
  });

  test("close waits for messages on their way, and may be called again", async () => {
    await using opened = await open();
    const sending = opened.mailer.send(message, allow);
    await Promise.all([opened.mailer.close(), opened.mailer.close()]);
    expect(opened.arrived().length).toBe(1);
    expect(await sending).toMatchObject({ kind: "accepted" });
  });
}

/** Line ends are the transport's own, and it may add one at the end. */
function lines(text: string | undefined): readonly string[] {
  return (text ?? "").replaceAll("\r\n", "\n").replace(/\n+$/, "").split("\n");
}
