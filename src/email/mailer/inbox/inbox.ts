import type { Database } from "bun:sqlite";
import { errorMessage } from "../../../core/errors.ts";
import type { Log } from "../../../core/log.ts";
import { logText, maskEmail } from "../../../core/log.ts";
import type { SqliteDatabase } from "../../../core/sqlite/database.ts";
import type { Clock } from "../../../core/time.ts";
import { systemClock } from "../../../core/time.ts";
import { readBySchema, wireOf } from "../../event.ts";
import type { RenderMail } from "../../templates/mail-renderer.tsx";
import type {
  ContentEnding,
  Mailer,
  MailMessage,
  MailSource,
  ProbeOutcome,
  SendOptions,
  SendOutcome,
  Submission,
} from "../mailer.ts";
import { messageIdHeader, sendBySubmitting } from "../mailer.ts";

/** A mail that was kept instead of sent. */
export interface InboxMail {
  /** Grows by one with each mail, and is never reused. */
  readonly id: number;
  /** The event's; two mails of one event are two entries. */
  readonly messageId: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  /** Rendered when it is read, where the mail has a source. */
  readonly html: string;
  /** Message-ID first, then the extra header fields of the message. */
  readonly headers: Readonly<Record<string, string>>;
  /** Unix ms. */
  readonly receivedAt: number;
}

/** Without `source` its HTML is stored, ten times as much as the rest. */
export interface NewInboxMail extends Omit<InboxMail, "id" | "html"> {
  readonly html?: string;
  readonly source?: MailSource;
}

/** The newest 1,000 mails of `EMAIL_MODE=log`, in a SQLite file that several processes may share. */
export interface Inbox {
  /** Newest first, at most `limit` (up to 1,000); with `before`, those with a smaller id. */
  list(limit: number, before?: number): readonly InboxMail[];
  /**
   * The newest, at most `limit`, with `query` in recipient, subject, text or message_id, whatever
   * the case.
   */
  search(query: string, limit: number): readonly InboxMail[];
  find(id: number): InboxMail | undefined;
  count(): number;
  /**
   * Stores the mails together and resolves with the id of the first; the others follow it. The
   * oldest beyond 1,000 are gone by then.
   */
  add(mails: readonly NewInboxMail[]): Promise<number>;
  clear(): Promise<void>;
}

const inboxMailsMax = 1_000;

/** Each mail was a row. */
const firstSchema = `CREATE TABLE inbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  message_id TEXT NOT NULL,
  recipient TEXT NOT NULL,
  subject TEXT NOT NULL,
  text TEXT NOT NULL,
  html TEXT NOT NULL,
  headers TEXT NOT NULL,
  received_at INTEGER NOT NULL
) STRICT`;

/**
 * The mails of one transaction are one row, a JSON list, which costs a quarter of a row for each. A
 * cleared inbox keeps its newest row, without mails, so that ids go on.
 */
const batchSchema = `
CREATE TABLE inbox_batches (
  last_id INTEGER PRIMARY KEY,
  first_id INTEGER NOT NULL,
  mails TEXT NOT NULL
) STRICT;
INSERT INTO inbox_batches SELECT id, id, json_array(json_object(
  'messageId', message_id, 'to', recipient, 'subject', subject, 'text', text, 'html', html,
  'headers', json(headers), 'receivedAt', received_at)) FROM inbox;
INSERT OR IGNORE INTO inbox_batches SELECT seq, seq + 1, '[]' FROM sqlite_sequence
  WHERE name = 'inbox';
DROP TABLE inbox`;

interface Batch {
  readonly first_id: number;
  readonly last_id: number;
  readonly mails: string;
}

/** As it is stored. */
interface StoredMail extends Omit<InboxMail, "id" | "html"> {
  readonly html?: string;
  readonly source?: Omit<MailSource, "event"> & { readonly event: object };
}

interface InboxOptions {
  readonly database: SqliteDatabase;
  /** Without it, only stored HTML is shown; other mails show their text in its place. */
  readonly render?: RenderMail | undefined;
}

/** The caller closes the file. */
export async function openInbox({ database, render }: InboxOptions): Promise<Inbox> {
  await database.migrate("inbox", [firstSchema, batchSchema]);
  const select = (before: number, limit: number, wanted = (_mail: InboxMail) => true) =>
    database.read((file) => {
      const mails: InboxMail[] = [];
      for (const mail of newestMails(file, before, render)) {
        if (wanted(mail)) mails.push(mail);
        if (mails.length >= Math.min(limit, inboxMailsMax)) break;
      }
      return mails;
    });
  return {
    list: (limit, before = Number.MAX_SAFE_INTEGER) => select(before, limit),
    search: (query, limit) => {
      const part = query.toLowerCase();
      return select(Number.MAX_SAFE_INTEGER, limit, ({ to, subject, messageId, text }) =>
        `${to} ${subject} ${messageId} ${text}`.toLowerCase().includes(part),
      );
    },
    find: (id) => select(id + 1, 1).find((mail) => mail.id === id),
    count: () => database.read(countMails),
    add: (mails) => {
      const stored = JSON.stringify(mails.map(storedForm));
      return database.write((file) => insertBatch(file, stored, mails.length));
    },
    clear: () =>
      database.write((file) => {
        file.run("UPDATE inbox_batches SET first_id = last_id + 1, mails = '[]'");
      }),
  };
}

/** 0 in an empty file. */
function newestId(file: Database): number {
  const newest = file.query<{ id: number }, []>(
    "SELECT coalesce(max(last_id), 0) AS id FROM inbox_batches",
  );
  return newest.get()?.id ?? 0;
}

function countMails(file: Database): number {
  const count = file.query<{ mails: number }, [number]>(
    "SELECT coalesce(sum(last_id - max(first_id, ?) + 1), 0) AS mails FROM inbox_batches",
  );
  return count.get(newestId(file) - inboxMailsMax + 1)?.mails ?? 0;
}

/** Those with an id below `before`. */
function* newestMails(file: Database, before: number, render: RenderMail | undefined) {
  const oldest = newestId(file) - inboxMailsMax + 1;
  const select = file.query<Batch, [number, number]>(
    `SELECT first_id, last_id, mails FROM inbox_batches WHERE first_id < ? AND last_id < ?
     ORDER BY last_id DESC LIMIT 1`,
  );
  let batch = select.get(before, Number.MAX_SAFE_INTEGER);
  for (; batch !== null; batch = select.get(before, batch.last_id)) {
    const mails = JSON.parse(batch.mails) as readonly StoredMail[];
    for (const [at, mail] of [...mails.entries()].toReversed()) {
      const id = batch.first_id + at;
      if (id < before && id >= oldest) yield mailOf(id, mail, render);
    }
  }
}

function mailOf(id: number, mail: StoredMail, render: RenderMail | undefined): InboxMail {
  const { messageId, to, subject, text, headers, receivedAt } = mail;
  return {
    id,
    messageId,
    to,
    subject,
    text,
    get html() {
      return mail.html ?? renderStored(mail, render) ?? `<pre>${Bun.escapeHTML(text)}</pre>`;
    },
    headers,
    receivedAt,
  };
}

/** As of when it was composed, but with today's templates. */
function renderStored({ source }: StoredMail, render: RenderMail | undefined): string | undefined {
  const read = source && readBySchema(source.event);
  if (render === undefined || read?.kind !== "event") return undefined;
  const { renderedAt: now = 0, unsubscribeUrl } = source ?? {};
  const context = unsubscribeUrl === undefined ? { now } : { now, unsubscribeUrl };
  return render(read.event, context).html;
}

function storedForm({ source, ...mail }: NewInboxMail): StoredMail {
  return source === undefined
    ? mail
    : { ...mail, source: { ...source, event: wireOf(source.event) } };
}

/** Returns the id of the first. */
function insertBatch(file: Database, mails: string, count: number): number {
  const first = newestId(file) + 1;
  const last = first + count - 1;
  file.query("INSERT INTO inbox_batches VALUES (?, ?, ?)").run(last, first, mails);
  file.query("DELETE FROM inbox_batches WHERE last_id <= ?").run(last - inboxMailsMax);
  return first;
}

interface InboxMailerOptions {
  readonly database: SqliteDatabase;
  readonly clock?: Clock;
  /** The sender, for the Message-ID (default `senderDefault`). */
  readonly from?: string | undefined;
  /** If set, each mail's text is logged, with its code. Not in production. */
  readonly log?: Log | undefined;
}

/** The sender where SMTP_FROM is not set. */
export const senderDefault = "noreply@localhost";
const host = "inbox";

/**
 * The mailer of `EMAIL_MODE=log`: nothing leaves the machine, each message becomes an entry of the
 * inbox. Two sends of one message are two entries, as they would be two mails.
 */
export async function openInboxMailer(options: InboxMailerOptions): Promise<Mailer> {
  return new InboxMailer(await openInbox(options), options);
}

/**
 * Submitted: `contentTaken` is called at the end of this step of the event loop, for all mails of
 * it. Allowed: all mails of this turn are stored in one transaction. Settled: it is committed, or
 * the mail was withheld. A signal counts before each of these.
 */
class InboxMailer implements Mailer {
  readonly address: string;
  readonly concurrency = 100; // they share transactions
  readonly #inbox: Inbox;
  readonly #options: InboxMailerOptions;
  #submitted: Keeping[] = [];
  #allowed: Keeping[] = [];
  #unsettled = 0;
  #closed = Promise.withResolvers<void>();

  constructor(inbox: Inbox, options: InboxMailerOptions) {
    this.address = `inbox (${options.database.path})`;
    this.#inbox = inbox;
    this.#options = options;
    this.#closed.resolve();
  }

  send(message: MailMessage, options: SendOptions): Promise<SendOutcome> {
    return sendBySubmitting(this, message, options);
  }

  submit(submission: Submission): void {
    if (this.#unsettled === 0) this.#closed = Promise.withResolvers();
    this.#unsettled += 1;
    const keeping = new Keeping(submission, this);
    if (this.#submitted.push(keeping) > 1) return;
    queueMicrotask(() => this.#takeContents());
  }

  async probe(): Promise<ProbeOutcome> {
    return { kind: "up", host };
  }

  close(): Promise<void> {
    return this.#closed.promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #takeContents(): void {
    const submitted = this.#submitted;
    this.#submitted = [];
    for (const keeping of submitted) {
      if (keeping.isAborted) this.settle(keeping, { kind: "withheld" });
      else keeping.submission.contentTaken(keeping);
    }
  }

  keep(keeping: Keeping): void {
    if (this.#allowed.push(keeping) > 1) return;
    setImmediate(() => void this.#keepAllowed());
  }

  async #keepAllowed(): Promise<void> {
    const allowed = this.#allowed;
    this.#allowed = [];
    const kept: Keeping[] = [];
    for (const keeping of allowed) {
      if (keeping.isAborted) this.settle(keeping, { kind: "withheld" });
      else kept.push(keeping);
    }
    if (kept.length === 0) return;
    let firstId: number;
    try {
      firstId = await this.#inbox.add(kept.map(({ submission }) => this.#entryOf(submission)));
    } catch (error) {
      // The transaction was not committed, so no message was kept.
      const reason = `The inbox could not be written: ${errorMessage(error)}`;
      const outcome = { kind: "server_down", cause: "system", host, reason } as const;
      for (const keeping of kept) this.settle(keeping, outcome);
      return;
    }
    kept.forEach((keeping, at) => {
      const id = String(firstId + at);
      this.#log(keeping.submission);
      this.settle(keeping, {
        kind: "accepted",
        host,
        reply: `250 2.0.0 kept as ${id}`,
        queueId: id,
      });
    });
  }

  #entryOf({ message }: Submission): NewInboxMail {
    const { clock = systemClock, from = senderDefault } = this.#options;
    const { messageId, to, subject, text, source } = message;
    const headers = { "Message-ID": messageIdHeader(messageId, from), ...message.headers };
    const entry = { messageId, to, subject, text, headers, receivedAt: clock.now() };
    return source === undefined ? { ...entry, html: message.html } : { ...entry, source };
  }

  #log({ message, trace }: Submission): void {
    const { log } = this.#options;
    if (log === undefined) return;
    const { messageId, to, subject, text } = message;
    const fields = JSON.stringify({ messageID: messageId, to: maskEmail(to), subject, text });
    logText(log, fields.slice(1, -1), "Email kept in the inbox", trace);
  }

  settle(keeping: Keeping, outcome: SendOutcome): void {
    keeping.submission.settled(outcome);
    this.#unsettled -= 1;
    if (this.#unsettled === 0) this.#closed.resolve();
  }
}

/** One mail on its way into the inbox. */
class Keeping implements ContentEnding {
  readonly submission: Submission;
  readonly #mailer: InboxMailer;

  constructor(submission: Submission, mailer: InboxMailer) {
    this.submission = submission;
    this.#mailer = mailer;
  }

  get isAborted(): boolean {
    return this.submission.signal?.aborted === true;
  }

  allow(): void {
    this.#mailer.keep(this);
  }

  withhold(): void {
    queueMicrotask(() => this.#mailer.settle(this, { kind: "withheld" }));
  }
}
