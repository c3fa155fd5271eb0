import { join } from "node:path";
import type { SqliteDatabase } from "../../src/core/sqlite/database.ts";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { openRedisDeliveryLedger } from "../../src/email/ledger/redis.ts";
import { openSqliteDeliveryLedger } from "../../src/email/ledger/sqlite.ts";
import { openRedisAt, openTestRedis } from "../../support/own-redis.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import type { LedgerStore } from "../contract/delivery-ledger-store.ts";
import { FakeClock } from "./fake-clock.ts";

/** A SQLite file of its own under a clock that only `pass` moves. */
export async function openSqliteLedgerStore(): Promise<LedgerStore> {
  const directory = temporaryDirectory();
  const path = join(directory.path, "ledger.sqlite");
  const databases = [await openSqlite(path), await openSqlite(path)];
  const store = sqliteStore(databases, new FakeClock());
  return {
    ...store,
    [Symbol.asyncDispose]: async () => {
      for (const database of databases) await database.close();
      directory[Symbol.dispose]();
    },
  };
}

function sqliteStore(databases: readonly SqliteDatabase[], clock: FakeClock): LedgerStore {
  let opened = 0;
  const [first] = databases;
  if (first === undefined) throw new Error("no database");
  return {
    now: () => clock.now(),
    pass: (durationMs) => clock.advance(durationMs),
    open: () => {
      const database = databases[opened % databases.length] ?? first;
      opened += 1;
      return openSqliteDeliveryLedger({ database, clock });
    },
    read: async (messageId) =>
      first.read(
        (file) =>
          file
            .query<{ record: string }, [string]>(
              "SELECT record FROM email_ledger WHERE message_id = ?",
            )
            .get(messageId)?.record,
      ),
    plant: (messageId, text) =>
      first.write((file) => {
        const expiresAt = clock.now() + 3_600_000;
        file.query("INSERT INTO email_ledger VALUES (?, ?, ?)").run(messageId, text, expiresAt);
      }),
    livesMs: async (messageId) =>
      first.read(
        (file) =>
          (file
            .query<{ at: number }, [string]>(
              "SELECT expires_at AS at FROM email_ledger WHERE message_id = ?",
            )
            .get(messageId)?.at ?? 0) - clock.now(),
      ),
    branch: () => sqliteStore([first], new FakeClock()),
    [Symbol.asyncDispose]: async () => {},
  };
}

/** A key prefix of its own on the Redis at `url`; each ledger has a connection of its own. */
export async function openRedisLedgerStore(url: string): Promise<LedgerStore> {
  const own = await openTestRedis(url);
  const { redis, keyPrefix } = own;
  const more = await Promise.all([openRedisAt(url), openRedisAt(url), openRedisAt(url)]);
  const key = (messageId: string) => `${keyPrefix}email:sent:${messageId}`;
  let opened = 0;
  const store: LedgerStore = {
    now: () => Date.now(),
    pass: (durationMs) => Bun.sleep(durationMs),
    open: async () => {
      opened += 1;
      return openRedisDeliveryLedger({ redis: more[opened % more.length] ?? redis, keyPrefix });
    },
    read: async (id) => (await redis.run((client) => client.get(key(id)))) ?? undefined,
    plant: async (id, text) => {
      await redis.run((client) => client.set(key(id), text, "EX", 3600));
    },
    livesMs: (id) => redis.run((client) => client.pttl(key(id))),
    branch: () => store,
    [Symbol.asyncDispose]: async () => {
      for (const client of more) await client.close();
      await own[Symbol.asyncDispose]();
    },
  };
  return store;
}
