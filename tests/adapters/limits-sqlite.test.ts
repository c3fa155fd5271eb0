import { join } from "node:path";
import { openSqliteLimits } from "../../src/auth/limits/sqlite.ts";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { testLimits } from "../contract/limits.ts";

testLimits("SQLite", async ({ clock }) => {
  const directory = temporaryDirectory();
  const database = await openSqlite(join(directory.path, "auth.sqlite"));
  return {
    limits: await openSqliteLimits(database, { clock }),
    dump: async () =>
      JSON.stringify(database.read((db) => db.query("SELECT * FROM auth_limits").all())),
    [Symbol.asyncDispose]: async () => {
      await database.close();
      directory[Symbol.dispose]();
    },
  };
});
