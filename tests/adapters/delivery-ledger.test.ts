import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { join } from "node:path";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { openSqliteDeliveryLedger } from "../../src/email/ledger/sqlite.ts";
import { findEngine } from "../../support/engines.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { deliveryLedgerContract } from "../contract/delivery-ledger.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { openRedisLedgerStore, openSqliteLedgerStore } from "../support/ledger-stores.ts";

deliveryLedgerContract("DeliveryLedger in SQLite", openSqliteLedgerStore, {
  connection: "embedded",
  leaseMs: 15_000,
  seeds: 1000,
  batchSeeds: 30,
  daysPass: true,
});

test("a file of release 0.1, whose table had no rowids, is read and advanced", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "state.sqlite");
  const clock = new FakeClock();
  const time = new Date(clock.now()).toISOString();
  const record = `{"state":"claimed","fence":1,"owner":"a","revision":1,"lease_until":"${time}",
    "attempts":0,"replays":0,"resubmissions":0,"digest":"d","event_type":"welcome","recipient":"a***",
    "history":[{"at":"${time}","state":"claimed","fence":1}]}`;
  using former = new Database(path);
  former.run(`
    CREATE TABLE schema_versions (module TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT;
    INSERT INTO schema_versions VALUES ('email_ledger', 3);
    CREATE TABLE email_ledger (
      message_id TEXT PRIMARY KEY,
      record TEXT NOT NULL,
      expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX email_ledger_expires_at ON email_ledger (expires_at);
    CREATE TABLE email_ledger_minutes (minute INTEGER PRIMARY KEY, records INTEGER NOT NULL) STRICT;
    INSERT INTO email_ledger VALUES ('mail-1', '${record}', ${clock.now() + 1000})`);
  former.close();
  await using database = await openSqlite(path);
  await using ledger = await openSqliteDeliveryLedger({ database, clock });
  const claim = { messageId: "mail-1", owner: "a", fence: 1 };
  const submitting = { kind: "submitting", leaseMs: 1000 } as const;
  expect(await ledger.advance(claim, submitting)).toEqual({ kind: "done" });
  expect(await ledger.find("mail-1")).toMatchObject({ state: "submitting", digest: "d" });
});

const url = findEngine("redis");
if (url !== undefined) {
  deliveryLedgerContract("DeliveryLedger in Redis", () => openRedisLedgerStore(url), {
    connection: "connected",
    leaseMs: 120,
    seeds: 48,
    batchSeeds: 10,
    daysPass: false,
  });
}
