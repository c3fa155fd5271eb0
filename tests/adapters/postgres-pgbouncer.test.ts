/** Debian's pgbouncer with its defaults, which refuse startup parameters. */
import { describe, expect, test } from "bun:test";
import { openPostgresUserStore } from "../../src/auth/users/postgres.ts";
import { schemaRooms } from "../../src/compose/schema-rooms.ts";
import { openPostgres } from "../../src/core/postgres/database.ts";
import { diagnosePostgres } from "../../src/core/postgres/diagnose.ts";
import { testPreferenceStore } from "../contract/preference-store.ts";
import { testSuppressionStore } from "../contract/suppression-store.ts";
import { testUserStore } from "../contract/user-store.ts";
import { diagnosed, troubles } from "../support/doctor.ts";
import { findEngine } from "../support/engines.ts";
import type { OwnPgbouncer } from "../support/own-pgbouncer.ts";
import { openOwnPgbouncer } from "../support/own-pgbouncer.ts";
import { openTestPostgres } from "../support/postgres-schema.ts";
import { openRecipientStores } from "../support/recipient-stores.ts";
import { openServerWorld } from "../support/sign-in-world.ts";

const postgres = findEngine("postgres") ?? "";
const redis = findEngine("redis") ?? "";
const isHere = postgres !== "" && findEngine("pgbouncer") !== undefined;
/** Refused, ignored without a word, and said in the URL; with each way to hand out connections. */
const ignoring = [
  "ignore_startup_parameters = statement_timeout,idle_in_transaction_session_timeout,search_path",
];
const poolers = [
  { name: "in session mode", mode: "session", settings: [] },
  { name: "in transaction mode", mode: "transaction", settings: [] },
  { name: "that ignores what it is told", mode: "transaction", settings: ignoring },
] as const;

for (const { name, mode, settings } of isHere ? poolers : []) {
  const opened: Promise<OwnPgbouncer>[] = [];
  /** One for all tests of the kind; it ends with the process of the tests at the latest. */
  const pooler = () => {
    opened[0] ??= openOwnPgbouncer({ postgres, mode, settings });
    return opened[0];
  };

  describe(`through a pgbouncer ${name}`, () => {
    if (settings !== ignoring) testStores(name, pooler);

    test("tables are made in their schema alone, once, and doctor says nothing false", async () => {
      const { url } = await pooler();
      await using database = await openTestPostgres(url);
      const { schema } = database;
      const all = schemaRooms.flatMap(({ room, steps }) =>
        Array.from({ length: 3 }, () => database.migrate(room, steps)),
      );
      await Promise.all(all);
      await using direct = openPostgres({ url: postgres, schema: undefined });
      const found = await direct.query(
        (sql) => sql`SELECT count(*)::int AS count FROM pg_tables WHERE schemaname = ${schema}`,
      );
      expect(found[0]?.["count"]).toBe(4);
      const checks = await diagnosed((diagnosis) =>
        diagnosePostgres({ url, schema }, schemaRooms, diagnosis),
      );
      expect(troubles(checks)).toEqual([]);
      expect(checks.map(({ check }) => check)).toContain("postgres.pooler");
      expect(checks.map(({ check }) => check)).not.toContain("postgres.connections");
    });

    test("a slow statement is ended by the server, and no setting leaks to the next client", async () => {
      await using database = await openTestPostgres((await pooler()).url);
      const slow = database.query((sql) => sql`SELECT pg_sleep(30)`).catch(String);
      expect(await slow).toContain("statement timeout");
      const many = Array.from({ length: 40 }, (_, n) =>
        database.query((sql) => sql`SELECT ${n}::int AS n, current_schema() AS schema`),
      );
      const rows = (await Promise.all(many)).map(([row]) => [row?.["n"], row?.["schema"]]);
      expect(rows).toEqual(many.map((_, n) => [n, database.schema]));
    });

    test.skipIf(redis === "")("people sign in", async () => {
      await using world = await openServerWorld({ redis, postgres: (await pooler()).url });
      const { token } = await world.signIn("ana@example.com");
      expect((await world.request("/auth/me", { token })).status).toBe(200);
      await world.signIn("ana@example.com");
    });

    test("the pooler ends", async () => {
      await (await pooler())[Symbol.asyncDispose]();
    });
  });
}

function testStores(name: string, pooler: () => Promise<OwnPgbouncer>): void {
  testUserStore(`pgbouncer ${name}`, async (options) => {
    const database = await openTestPostgres((await pooler()).url);
    return {
      store: await openPostgresUserStore(database, options),
      [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
    };
  });
  testPreferenceStore(`pgbouncer ${name}`, async () => {
    const stack = new AsyncDisposableStack();
    const { preferences: store } = await openRecipientStores((await pooler()).url, stack, {});
    return { store, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  });
  testSuppressionStore(`pgbouncer ${name}`, async (options) => {
    const stack = new AsyncDisposableStack();
    const stores = await openRecipientStores((await pooler()).url, stack, options);
    return { store: stores.suppressions, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  });
}
