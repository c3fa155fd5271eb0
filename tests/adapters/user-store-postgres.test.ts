import { openPostgresUserStore } from "../../src/auth/users/postgres.ts";
import { testUserStore } from "../contract/user-store.ts";
import { findEngine } from "../support/engines.ts";
import { openTestPostgres } from "../support/postgres-schema.ts";

const url = findEngine("postgres");

if (url !== undefined) {
  testUserStore("Postgres", async (options) => {
    const database = await openTestPostgres(url);
    return {
      store: await openPostgresUserStore(database, options),
      [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
    };
  });
}
