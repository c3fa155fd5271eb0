import type { Database } from "bun:sqlite";
import type { SqliteDatabase } from "../../core/sqlite/database.ts";
import type { Clock } from "../../core/time.ts";
import { systemClock } from "../../core/time.ts";
import { asLedgerError, ledgerTtlMs } from "../ledger/delivery-ledger.ts";
import type { RecentMail, RecentMails, RecipientSecrets } from "./recent-mails.ts";
import { BackgroundWrites, mailsMax, recentMailsKey, recentMailsKeys } from "./recent-mails.ts";

interface SqliteRecentMailsOptions {
  readonly database: SqliteDatabase;
  /** Asked for when first needed. */
  readonly secrets: () => RecipientSecrets;
  readonly clock?: Clock;
}

const schemaSteps = [
  `CREATE TABLE email_recent (
    recipient TEXT NOT NULL,
    message_id TEXT NOT NULL,
    noted_at INTEGER NOT NULL,
    PRIMARY KEY (recipient, message_id)
  ) STRICT, WITHOUT ROWID`,
  "CREATE INDEX email_recent_noted_at ON email_recent (noted_at)",
  `ALTER TABLE email_recent RENAME COLUMN noted_at TO added_at;
   DROP INDEX email_recent_noted_at;
   CREATE INDEX email_recent_added_at ON email_recent (added_at)`,
] as const;

/** Each new entry drops up to this many that are older than a day, so that they never pile up. */
const droppedPerAdd = 4;

/** In the ledger's file, and in one transaction with its claim when both are queued together. */
export async function openSqliteRecentMails(
  options: SqliteRecentMailsOptions,
): Promise<RecentMails> {
  const { database, secrets, clock = systemClock } = options;
  await asLedgerError(() => database.migrate("email_recent", schemaSteps));
  const writes = new BackgroundWrites();
  return {
    add: (mails) => {
      writes.add(() =>
        database.write((file) => writeEntries(file, mails, secrets().current, clock.now())),
      );
    },
    find: (recipient) =>
      asLedgerError(async () => {
        const found = recentMailsKeys(secrets(), recipient).flatMap((key) =>
          database.read((file) => readEntries(file, key, clock.now())),
        );
        return [...new Set(found)].slice(0, mailsMax);
      }),
    settled: () => writes.settled(),
  };
}

function writeEntries(
  file: Database,
  mails: readonly RecentMail[],
  secret: string,
  now: number,
): void {
  const add = file.query(
    `INSERT INTO email_recent VALUES (?, ?, ?)
     ON CONFLICT (recipient, message_id) DO UPDATE SET added_at = excluded.added_at`,
  );
  const keys = mails.map(({ recipient }) => recentMailsKey(secret, recipient));
  for (const [index, { messageId }] of mails.entries()) add.run(keys[index] ?? "", messageId, now);
  for (const key of fullOf(file, keys)) dropSurplus(file, key);
  file
    .query(
      `DELETE FROM email_recent WHERE (recipient, message_id) IN
       (SELECT recipient, message_id FROM email_recent WHERE added_at <= ? LIMIT ?)`,
    )
    .run(now - ledgerTtlMs, droppedPerAdd * mails.length);
}

/** The recipients with more entries than are kept. */
function fullOf(file: Database, keys: readonly string[]): string[] {
  return file
    .query<{ recipient: string }, [string, number]>(
      `SELECT recipient FROM email_recent WHERE recipient IN (SELECT value FROM json_each(?))
       GROUP BY recipient HAVING count(*) > ?`,
    )
    .all(JSON.stringify(keys), mailsMax)
    .map(({ recipient }) => recipient);
}

function dropSurplus(file: Database, key: string): void {
  file
    .query(
      `DELETE FROM email_recent WHERE recipient = ?1 AND message_id IN
       (SELECT message_id FROM email_recent WHERE recipient = ?1
        ORDER BY added_at DESC, message_id LIMIT -1 OFFSET ?2)`,
    )
    .run(key, mailsMax);
}

function readEntries(file: Database, key: string, now: number): string[] {
  return file
    .query<{ message_id: string }, [string, number]>(
      `SELECT message_id FROM email_recent WHERE recipient = ? AND added_at > ?
       ORDER BY added_at DESC, message_id`,
    )
    .all(key, now - ledgerTtlMs)
    .map((row) => row.message_id);
}
