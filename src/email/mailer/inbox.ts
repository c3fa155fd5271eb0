import type { SqliteDatabase } from "../../core/sqlite/database.ts";
import type { Inbox, InboxMail } from "./kept-mails.ts";
import { InboxRows, inboxMailsMax } from "./sqlite-inbox-rows.ts";

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

/** The file stays open when the inbox is not used any more: it is the caller's. */
export async function openInbox({ database }: { database: SqliteDatabase }): Promise<Inbox> {
  await database.migrate("inbox", [schema]);
  const rows = new InboxRows(database);
  return {
    list: (limit, before = Number.MAX_SAFE_INTEGER) =>
      database.read((file) =>
        file
          .query<Row, [number, number]>("SELECT * FROM inbox WHERE id < ? ORDER BY id DESC LIMIT ?")
          .all(before, Math.min(limit, inboxMailsMax))
          .map(mailOf),
      ),
    search: (words, limit) =>
      database.read((file) =>
        file
          .query<Row, [string, number]>(
            `SELECT * FROM inbox
             WHERE instr(lower(concat_ws(' ', recipient, subject, message_id, text)), lower(?)) > 0
             ORDER BY id DESC LIMIT ?`,
          )
          .all(words, Math.min(limit, inboxMailsMax))
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
    add: (mail) => rows.add(mail),
    clear: () =>
      database.write((file) => {
        file.query("DELETE FROM inbox").run();
      }),
  };
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
