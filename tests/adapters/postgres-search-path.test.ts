/** Whose search path a connection has decides nothing: statements name the schema of their tables. */

import { describe, expect, test } from "bun:test";
import postgres from "postgres";
import { openPostgresUserStore } from "../../src/auth/users/postgres.ts";
import { schemaModules } from "../../src/compose/doctor.ts";
import { openPostgres } from "../../src/core/postgres/database.ts";
import { diagnosePostgres } from "../../src/core/postgres/diagnose.ts";
import { openPostgresPreferenceStore } from "../../src/email/preferences/postgres.ts";
import { openPostgresSuppressionStore } from "../../src/email/suppressions/postgres.ts";
import { findEngine } from "../../support/engines.ts";
import { postgresAt } from "../../support/postgres-schema.ts";
import { diagnosed, findTrouble, troubles } from "../support/doctor.ts";
import type { OwnDatabase } from "../support/own-pgbouncer.ts";
import { openOwnDatabase, openOwnPgbouncer } from "../support/own-pgbouncer.ts";

const server = findEngine("postgres") ?? "";
const key = "a".repeat(64);

/** The schemas that hold a row after each store wrote one and read it. */
async function useStores(url: string, schema: string | undefined): Promise<void> {
  await using database = openPostgres(postgresAt(url, schema));
  for (const { module: room, steps } of schemaModules) await database.migrate(room, steps);
  const users = await openPostgresUserStore(database);
  const { user } = await users.signIn({ email: "ana@example.com", username: undefined });
  expect(await users.findById(user.id)).toEqual(user);
  expect((await users.setUsername({ id: user.id, username: "Ana" })).kind).toBe("changed");
  expect((await users.findByUsername("ana"))?.id).toBe(user.id);
  const preferences = await openPostgresPreferenceStore(database);
  await preferences.change(key, { welcome: false });
  expect((await preferences.findDeclined([key])).size).toBe(1);
  const suppressions = await openPostgresSuppressionStore(database);
  const entry = { key, address: undefined, reason: "manual", note: undefined } as const;
  const dated = { ...entry, createdAt: Date.now(), expiresAt: undefined };
  expect(await suppressions.add([dated])).toBe(1);
  expect(await suppressions.count()).toBe(1);
  const checks = await diagnosed((diagnosis) =>
    diagnosePostgres(postgresAt(url, schema), schemaModules, diagnosis),
  );
  expect(troubles(checks)).toEqual([]);
  expect(checks.map(({ text }) => text)).toContain("Its tables are up to date");
}

const tables = ["auth_users", "email_declined", "email_suppressions", "instant_schema_versions"];

async function schemasOfTables({ run }: OwnDatabase): Promise<unknown[]> {
  const rows = await run("SELECT schemaname, tablename FROM pg_tables");
  const ours = rows.filter(({ tablename }) => tables.includes(String(tablename)));
  return [...new Set(ours.map(({ schemaname }) => schemaname))].sort();
}

describe.skipIf(server === "")("a search path that leads elsewhere", () => {
  const needsQuoting = 'Odd.schema "$&"';
  const quoted = '"Odd.schema ""$&"""';

  test.each([
    ["unset, after the role's", undefined, `SET search_path = ${quoted}, public`, needsQuoting],
    [
      "unset, and the first of the role's is missing",
      undefined,
      "SET search_path = gone, public",
      "public",
    ],
    ["a reserved word", "order", "SET search_path = other, public", "order"],
    ["set, and the role's is empty", "user", "SET search_path = ''", "user"],
  ])("DB_SCHEMA is %s", async (_, schema, setting, expected) => {
    await using own = await openOwnDatabase(server);
    await own.run(`CREATE SCHEMA ${quoted} AUTHORIZATION ${own.role}`);
    await own.run(`CREATE SCHEMA other AUTHORIZATION ${own.role}`);
    await own.run(`GRANT ALL ON SCHEMA public TO ${own.role}`);
    await own.run(`ALTER ROLE ${own.role} ${setting}`);
    await useStores(own.url, schema);
    expect(await schemasOfTables(own)).toEqual([expected]);
  });

  test("a role whose search path leads nowhere is told to set DB_SCHEMA", async () => {
    await using own = await openOwnDatabase(server);
    await own.run(`ALTER ROLE ${own.role} SET search_path = ''`);
    await using database = openPostgres(postgresAt(own.url));
    const error = await openPostgresUserStore(database).catch(String);
    expect(error).toContain("search_path names no existing schema: set DB_SCHEMA");
    const checks = await diagnosed((diagnosis) =>
      diagnosePostgres(postgresAt(own.url), schemaModules, diagnosis),
    );
    expect(findTrouble(checks, "postgres.schema").fix).toContain("DB_SCHEMA");
  });

  const pgbouncer = findEngine("pgbouncer");
  const ignoring =
    "ignore_startup_parameters = statement_timeout,idle_in_transaction_session_timeout";
  test.skipIf(pgbouncer === undefined).each([
    ["DB_SCHEMA unset", undefined, "public", []],
    ["DB_SCHEMA unset, and startup parameters ignored", undefined, "public", [ignoring]],
    ["DB_SCHEMA set", "order", "order", []],
  ] as const)(
    "on a connection of another client's before us: %s",
    async (_, schema, expected, settings) => {
      await using own = await openOwnDatabase(server);
      await own.run(`CREATE SCHEMA other AUTHORIZATION ${own.role}`);
      await own.run(`GRANT ALL ON SCHEMA public TO ${own.role}`);
      await using pooler = await openOwnPgbouncer({
        postgres: own.url,
        mode: "transaction",
        settings: ["default_pool_size = 1", ...settings],
      });
      const another = postgres(pooler.url, { max: 1, prepare: false });
      try {
        await another`SET search_path = other`;
        const [leaked] = await another`SELECT current_schema() AS schema`;
        expect(leaked?.["schema"]).toBe("other");
        await useStores(pooler.url, schema);
        expect(await schemasOfTables(own)).toEqual([expected]);
        // The same tables elsewhere draw nothing to them.
        await using elsewhere = openPostgres(postgresAt(own.url, "other"));
        for (const { module: room, steps } of schemaModules) await elsewhere.migrate(room, steps);
        await another`SET search_path = other`;
        await using database = openPostgres(postgresAt(pooler.url, schema));
        const users = await openPostgresUserStore(database);
        expect((await users.findByEmail("ana@example.com"))?.username).toBe("Ana");
        await users.signIn({ email: "bo@example.com", username: undefined });
        expect(await own.run("SELECT 1 FROM other.auth_users")).toHaveLength(0);
      } finally {
        await another.end({ timeout: 1 });
      }
    },
  );
});
