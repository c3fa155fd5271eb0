import { describe, expect, test } from "bun:test";
import type {
  ContentEnding,
  Mailer,
  MailMessage,
  SendOptions,
  SendOutcome,
  Submission,
} from "../../src/email/mailer/mailer.ts";

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
    testManyAtOnce(open);
    testSubmissions(open);
  });
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

function testManyAtOnce(open: () => Promise<OpenedMailer>): void {
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

/** A submission whose calls are recorded, in order; it ends only as the test says. */
export class RecordedSubmission implements Submission {
  readonly message: MailMessage;
  readonly signal: AbortSignal | undefined;
  readonly calls: string[] = [];
  readonly endings: ContentEnding[] = [];
  readonly taken = Promise.withResolvers<ContentEnding>();
  readonly done = Promise.withResolvers<SendOutcome>();

  constructor(messageId: string, options: { to?: string; signal?: AbortSignal } = {}) {
    this.message = { ...message, messageId, to: options.to ?? message.to };
    this.signal = options.signal;
  }

  contentTaken(ending: ContentEnding): void {
    this.calls.push("taken");
    this.endings.push(ending);
    this.taken.resolve(ending);
  }

  settled(outcome: SendOutcome): void {
    this.calls.push(outcome.kind);
    this.done.resolve(outcome);
  }
}

/** Submits and allows each as soon as its content was taken. */
export function submitAndAllow(mailer: Mailer, submission: RecordedSubmission) {
  mailer.submit(submission);
  void submission.taken.promise.then((ending) => ending.allow());
  return submission.done.promise;
}

function testSubmissions(open: () => Promise<OpenedMailer>): void {
  const several = (count: number) =>
    Array.from({ length: count }, (_, index) => new RecordedSubmission(`m-${index}`));

  test("submissions are called back later: first that the content was taken, then the end", async () => {
    await using opened = await open();
    const [mail = new RecordedSubmission("m")] = several(1);
    opened.mailer.submit(mail);
    expect(mail.calls).toEqual([]);
    const ending = await mail.taken.promise;
    expect(opened.arrived()).toEqual([]);
    ending.allow();
    expect(await mail.done.promise).toMatchObject({ kind: "accepted" });
    expect(mail.calls).toEqual(["taken", "accepted"]);
    expect(opened.arrived().length).toBe(1);
  });

  test("submissions of one round end in one turn, each as it was told", async () => {
    await using opened = await open();
    const mails = several(5);
    for (const mail of mails) opened.mailer.submit(mail);
    const endings = await Promise.all(mails.map(({ taken }) => taken.promise));
    expect(opened.arrived()).toEqual([]);
    for (const [index, ending] of endings.entries()) {
      if (index === 2) ending.withhold();
      else ending.allow();
    }
    const outcomes = await Promise.all(mails.map(({ done }) => done.promise));
    const kinds = outcomes.map(({ kind }) => kind);
    expect(kinds).toEqual(["accepted", "accepted", "withheld", "accepted", "accepted"]);
    const arrived = opened.arrived().map(({ messageId }) => messageId);
    expect(arrived.toSorted()).toEqual(["m-0", "m-1", "m-3", "m-4"]);
  });

  test("many submissions at once arrive once each, however many wait", async () => {
    await using opened = await open();
    const mails = several(300);
    const outcomes = await Promise.all(mails.map((mail) => submitAndAllow(opened.mailer, mail)));
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(["accepted"]));
    const arrived = opened.arrived().map(({ messageId }) => messageId);
    const sent = mails.map((mail) => mail.message.messageId);
    expect(arrived.toSorted()).toEqual(sent.toSorted());
    expect(mails.every(({ calls }) => calls.join() === "taken,accepted")).toBe(true);
  });

  test("a signal that several submissions share gives up those that have not ended", async () => {
    await using opened = await open();
    const abort = new AbortController();
    const mails = ["m-0", "m-1", "m-2"].map(
      (id) => new RecordedSubmission(id, { signal: abort.signal }),
    );
    const other = new RecordedSubmission("other");
    for (const mail of [...mails, other]) opened.mailer.submit(mail);
    const endings = await Promise.all(mails.map(({ taken }) => taken.promise));
    abort.abort();
    for (const ending of endings) ending.allow();
    (await other.taken.promise).allow();
    const outcomes = await Promise.all(mails.map(({ done }) => done.promise));
    expect(outcomes.map(({ kind }) => kind)).toEqual(["withheld", "withheld", "withheld"]);
    expect(await other.done.promise).toMatchObject({ kind: "accepted" });
    expect(opened.arrived().map(({ messageId }) => messageId)).toEqual(["other"]);
  });

  test("the outcome of a submission waits for its ending, which may come late", async () => {
    await using opened = await open();
    const abort = new AbortController();
    const mail = new RecordedSubmission("m", { signal: abort.signal });
    opened.mailer.submit(mail);
    const ending = await mail.taken.promise;
    abort.abort();
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(mail.calls).toEqual(["taken"]);
    ending.allow();
    expect(await mail.done.promise).toEqual({ kind: "withheld" });
    expect(opened.arrived()).toEqual([]);
  });
}

/** Line ends are the transport's own, and it may add one at the end. */
function lines(text: string | undefined): readonly string[] {
  return (text ?? "").replaceAll("\r\n", "\n").replace(/\n+$/, "").split("\n");
}
