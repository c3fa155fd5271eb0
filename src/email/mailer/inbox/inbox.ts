import type { Database } from "bun:sqlite";
import { errorMessage } from "../../../core/errors.ts";
import { gather } from "../../../core/gather.ts";
import type { Log } from "../../../core/log.ts";
import { maskEmail } from "../../../core/log.ts";
import type { SqliteDatabase } from "../../../core/sqlite/database.ts";
import type { Clock } from "../../../core/time.ts";
import { systemClock } from "../../../core/time.ts";
import type { Mailer, MailMessage, SendOptions, SendOutcome } from "../mailer.ts";
import { messageIdHeader, submitBySending } from "../mailer.ts";

/** A mail that was kept instead of sent. */
export interface InboxMail {
  /** Grows with each mail, and is never reused. */
  readonly id: number;
  /** The event's; two mails of one event are two entries. */
  readonly messageId: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** Message-ID first, then the extra header fields of the message. */
  readonly headers: Readonly<Record<string, string>>;
  /** Unix ms. */
  readonly receivedAt: number;
}

type NewMail = Omit<InboxMail, "id">;

/** The newest 1,000 mails of `EMAIL_MODE=log`, in a SQLite file that several processes may share. */
export interface Inbox {
  /** Newest first, at most `limit` (up to 1,000); with `before`, those with a smaller id. */
  list(limit: number, before?: number): readonly InboxMail[];
  /** The newest, at most `limit`, with `query` in recipient, subject, text or message_id. */
  search(query: string, limit: number): readonly InboxMail[];
  find(id: number): InboxMail | undefined;
  count(): number;
  /** Resolves with the stored mail; the oldest beyond 1,000 have been deleted by then. */
  add(mail: NewMail): Promise<InboxMail>;
  clear(): Promise<void>;
}

const inboxMailsMax = 1_000;

const schema = `CREATE TABLE inbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  message_id TEXT NOT NULL,
  recipient TEXT NOT NULL,
  subject TEXT NOT NULL,
  text TEXT NOT NULL,
  html TEXT NOT NULL,
  headers TEXT NOT NULL,
  received_at INTEGER NOT NULL
) STRICT`;

/** The caller closes the file. */
export async function openInbox({ database }: { database: SqliteDatabase }): Promise<Inbox> {
  await database.migrate("inbox", [schema]);
  // The mails of one turn are one transaction, which drops the oldest once.
  const add = gather(async (mails: readonly NewMail[]) => {
    const firstId = await database.write((file) => insertMails(file, mails));
    return mails.map((mail, index): InboxMail => ({ ...mail, id: firstId + index }));
  });
  return {
    list: (limit, before = Number.MAX_SAFE_INTEGER) =>
      database.read((file) =>
        file
          .query<Row, [number, number]>("SELECT * FROM inbox WHERE id < ? ORDER BY id DESC LIMIT ?")
          .all(before, Math.min(limit, inboxMailsMax))
          .map(mailOf),
      ),
    search: (query, limit) =>
      database.read((file) =>
        file
          .query<Row, [string, number]>(
            `SELECT * FROM inbox
             WHERE instr(lower(concat_ws(' ', recipient, subject, message_id, text)), lower(?)) > 0
             ORDER BY id DESC LIMIT ?`,
          )
          .all(query, Math.min(limit, inboxMailsMax))
          .map(mailOf),
      ),
    find: (id) => {
      const row = database.read((file) =>
        file.query<Row, [number]>("SELECT * FROM inbox WHERE id = ?").get(id),
      );
      return row === null ? undefined : mailOf(row);
    },
    count: () =>
      database.read((file) =>
        file.query<{ mails: number }, []>("SELECT count(*) AS mails FROM inbox").get(),
      )?.mails ?? 0,
    add,
    clear: () =>
      database.write((file) => {
        file.query("DELETE FROM inbox").run();
      }),
  };
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
const concurrency = 100; // they share transactions

/**
 * The mailer of `EMAIL_MODE=log`: nothing leaves the machine, each message becomes a row of the
 * inbox. Two sends of one message are two rows, as they would be two mails.
 */
export async function openInboxMailer(options: InboxMailerOptions): Promise<Mailer> {
  const inbox = await openInbox(options);
  const inFlight = new Set<Promise<SendOutcome>>();
  const close = async () => {
    await Promise.allSettled(inFlight);
  };
  const mailer: Mailer = {
    address: `inbox (${options.database.path})`,
    concurrency,
    send: (message, sendOptions) => {
      const sending = keep(inbox, options, message, sendOptions);
      inFlight.add(sending);
      return sending.finally(() => inFlight.delete(sending));
    },
    submit: (submission) => submitBySending(mailer, submission),
    probe: async () => ({ kind: "up", host }),
    close,
    [Symbol.asyncDispose]: close,
  };
  return mailer;
}

async function keep(
  inbox: Inbox,
  { clock = systemClock, from = senderDefault, log }: InboxMailerOptions,
  message: MailMessage,
  { beforeContentEnds, signal }: SendOptions,
): Promise<SendOutcome> {
  const aborted = () => signal?.aborted === true;
  if (aborted() || !(await isAllowed(beforeContentEnds)) || aborted()) return { kind: "withheld" };
  const { messageId, to, subject, text, html } = message;
  const headers = { "Message-ID": messageIdHeader(messageId, from), ...message.headers };
  try {
    const receivedAt = clock.now();
    const { id } = await inbox.add({ messageId, to, subject, text, html, headers, receivedAt });
    log?.info(
      { messageID: messageId, to: maskEmail(to), subject, text },
      "Email kept in the inbox",
    );
    return { kind: "accepted", host, reply: `250 2.0.0 kept as ${id}`, queueId: String(id) };
  } catch (error) {
    // The transaction was not committed, so the message was certainly not kept.
    const reason = `The inbox could not be written: ${errorMessage(error)}`;
    return { kind: "server_down", cause: "system", host, reason };
  }
}

async function isAllowed(beforeContentEnds: () => Promise<boolean>): Promise<boolean> {
  try {
    return await beforeContentEnds();
  } catch {
    return false; // the port's contract; the caller reports the error itself
  }
}

/** Returns the id of the first. */
function insertMails(file: Database, mails: readonly NewMail[]): number {
  const insert = file.query(
    `INSERT INTO inbox (message_id, recipient, subject, text, html, headers, received_at)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  let last = 0;
  for (const { messageId, to, subject, text, html, headers, receivedAt } of mails) {
    const fields = JSON.stringify(headers);
    const { lastInsertRowid } = insert.run(messageId, to, subject, text, html, fields, receivedAt);
    last = Number(lastInsertRowid);
  }
  file.query("DELETE FROM inbox WHERE id <= ?").run(last - inboxMailsMax);
  return last - mails.length + 1; // AUTOINCREMENT: consecutive within a transaction
}

interface Row {
  readonly id: number;
  readonly message_id: string;
  readonly recipient: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  readonly headers: string;
  readonly received_at: number;
}

function mailOf(row: Row): InboxMail {
  return {
    id: row.id,
    messageId: row.message_id,
    to: row.recipient,
    subject: row.subject,
    text: row.text,
    html: row.html,
    headers: JSON.parse(row.headers) as Readonly<Record<string, string>>,
    receivedAt: row.received_at,
  };
}
