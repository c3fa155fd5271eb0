import { join } from "node:path";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { openSqliteRecentMails } from "../../src/email/recent-mails/sqlite.ts";
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
    open: (secrets) => openSqliteRecentMails({ database, secrets, clock }),
    dump: async () => JSON.stringify(rows()),
    livesMs: async () => (rows()[0]?.added_at ?? 0) + 86_400_000 - clock.now(),
    tick: () => clock.advance(1),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
});
