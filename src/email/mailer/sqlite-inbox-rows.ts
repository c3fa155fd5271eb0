import type { Database } from "bun:sqlite";
import type { SqliteDatabase } from "../../core/sqlite/database.ts";
import type { InboxMail } from "./kept-mails.ts";

export const inboxMailsMax = 1_000;

type NewMail = Omit<InboxMail, "id">;

/** Adds what one turn of the event loop keeps as one job: the oldest are dropped once for all. */
export class InboxRows {
  readonly #database: SqliteDatabase;
  #mails: NewMail[] = [];
  #added: Promise<number> | undefined;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async add(mail: NewMail): Promise<InboxMail> {
    const index = this.#mails.push(mail) - 1;
    this.#added ??= this.#addSoon();
    return { ...mail, id: (await this.#added) + index };
  }

  /** Resolves with the id of the first. */
  async #addSoon(): Promise<number> {
    await new Promise((resolve) => setImmediate(resolve));
    const mails = this.#mails;
    this.#mails = [];
    this.#added = undefined;
    return this.#database.write((file) => insertMails(file, mails));
  }
}

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
  return last - mails.length + 1; // AUTOINCREMENT: one after the other within a transaction
}
