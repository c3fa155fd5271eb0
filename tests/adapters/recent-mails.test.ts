import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { join } from "node:path";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { recentMailsKey } from "../../src/email/recent-mails/recent-mails.ts";
import { openRedisRecentMails } from "../../src/email/recent-mails/redis.ts";
import { openSqliteRecentMails } from "../../src/email/recent-mails/sqlite.ts";
import { findEngine } from "../../support/engines.ts";
import { openTestRedis } from "../../support/own-redis.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { recentMailsContract } from "../contract/recent-mails.ts";
import { FakeClock } from "../support/fake-clock.ts";

recentMailsContract("RecentMails in SQLite", async () => {
  const stack = new AsyncDisposableStack();
  const { path } = stack.use(temporaryDirectory());
  const database = stack.use(await openSqlite(join(path, "state.sqlite")));
  const clock = new FakeClock();
  type Row = { recipient: string; message_id: string; added_at: number };
  const rows = () =>
    database.read((file) => file.query<Row, []>("SELECT * FROM email_recent").all());
  return {
    open: (secrets) => openSqliteRecentMails({ database, secrets: () => secrets, clock }),
    dump: async () => JSON.stringify(rows()),
    livesMs: async () => (rows()[0]?.added_at ?? 0) + 86_400_000 - clock.now(),
    tick: () => clock.advance(1),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
});

test("a file of release 0.1, whose columns had other names, is read", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "state.sqlite");
  const clock = new FakeClock();
  const secrets = { current: "s".repeat(32), previous: undefined };
  const key = recentMailsKey(secrets.current, "ana@example.com");
  using former = new Database(path);
  former.run(`
    CREATE TABLE schema_versions (room TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT;
    INSERT INTO schema_versions VALUES ('email_recent', 2);
    CREATE TABLE email_recent (
      recipient TEXT NOT NULL,
      message_id TEXT NOT NULL,
      noted_at INTEGER NOT NULL,
      PRIMARY KEY (recipient, message_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX email_recent_noted_at ON email_recent (noted_at);
    INSERT INTO email_recent VALUES ('${key}', 'message-1', ${clock.now()})`);
  former.close();
  await using database = await openSqlite(path);
  const recent = await openSqliteRecentMails({ database, secrets: () => secrets, clock });
  expect(await recent.find("ana@example.com")).toEqual(["message-1"]);
});

const url = findEngine("redis");
if (url !== undefined) {
  recentMailsContract("RecentMails in Redis", async () => {
    const { redis, keyPrefix, keys, ...test } = await openTestRedis(url);
    return {
      open: async (secrets) => openRedisRecentMails({ redis, keyPrefix, secrets: () => secrets }),
      dump: async () => {
        const all = await keys();
        const found = all.map((key) => redis.run((client) => client.get(key)));
        return JSON.stringify([all, await Promise.all(found)]);
      },
      livesMs: async () => redis.run(async (client) => client.pttl((await keys())[0] ?? "")),
      tick: () => Bun.sleep(2), // the scores are the server's milliseconds
      [Symbol.asyncDispose]: () => test[Symbol.asyncDispose](),
    };
  });
}
