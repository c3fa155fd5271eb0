/** Debian's pgbouncer with its defaults, which refuse startup parameters. */
import { describe, expect, test } from "bun:test";
import { openPostgresUserStore } from "../../src/auth/users/postgres.ts";
import { schemaModules } from "../../src/compose/doctor.ts";
import { openPostgres } from "../../src/core/postgres/database.ts";
import { diagnosePostgres } from "../../src/core/postgres/diagnose.ts";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import { openTestPostgres, postgresAt } from "../../support/postgres-schema.ts";
import { testPreferenceStore } from "../contract/preference-store.ts";
import { testSuppressionStore } from "../contract/suppression-store.ts";
import { testUserStore } from "../contract/user-store.ts";
import { diagnosed, troubles } from "../support/doctor.ts";
import type { OwnPgbouncer } from "../support/own-pgbouncer.ts";
import { openOwnDatabase, openOwnPgbouncer } from "../support/own-pgbouncer.ts";
import { openRecipientStores } from "../support/recipient-stores.ts";
import { openServerWorld } from "../support/sign-in-world.ts";

const postgres = findEngine("postgres") ?? "";
const redis = findEngine("redis") ?? "";
const isHere = postgres !== "" && findEngine("pgbouncer") !== undefined;
/** Refused, ignored without a word, and said in the URL; with each way to hand out connections. */
const ignoring = [
  "ignore_startup_parameters = statement_timeout,idle_in_transaction_session_timeout",
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

    test("tables are created only in their schema, once, and doctor is right about them", async () => {
      const { url } = await pooler();
      await using database = await openTestPostgres(url);
      const { schema } = database;
      const all = schemaModules.flatMap(({ module, steps }) =>
        Array.from({ length: 3 }, () => database.migrate(module, steps)),
      );
      await Promise.all(all);
      await using direct = openPostgres(postgresAt(postgres));
      const found = await direct.query(
        (sql) => sql`SELECT count(*)::int AS count FROM pg_tables WHERE schemaname = ${schema}`,
      );
      expect(found[0]?.["count"]).toBe(5);
      const checks = await diagnosed((diagnosis) =>
        diagnosePostgres(postgresAt(url, schema), schemaModules, diagnosis),
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
        database.query(
          (sql) => sql`SELECT ${n}::int AS n, current_setting('statement_timeout') AS timeout`,
        ),
      );
      const rows = (await Promise.all(many)).map(([row]) => [row?.["n"], row?.["timeout"]]);
      expect(rows).toEqual(many.map((_, n) => [n, "1500ms"]));
    });

    test.skipIf(redis === "")("people sign in", async () => {
      await using world = await openServerWorld({ redis, postgres: (await pooler()).url });
      const { token } = await world.signIn("ana@example.com");
      expect((await world.request("/auth/me", { token })).status).toBe(200);
      await world.signIn("ana@example.com");
    });

    test("the pooler stops", async () => {
      await (await pooler())[Symbol.asyncDispose]();
    });
  });
}

describe.skipIf(!isHere)("a pooler that was taken for a server", () => {
  /** Startup parameters are dropped, and the role's own setting is just what we would have set. */
  async function openDisguised() {
    const stack = new AsyncDisposableStack();
    const own = stack.use(await openOwnDatabase(postgres));
    await own.run(`GRANT ALL ON SCHEMA public TO ${own.role}`);
    await own.run(`ALTER ROLE ${own.role} SET statement_timeout = 1500`);
    const options = ["default_pool_size = 1", ...ignoring];
    const pooler = stack.use(
      await openOwnPgbouncer({ postgres: own.url, mode: "transaction", settings: options }),
    );
    const database = stack.use(openPostgres(postgresAt(pooler.url)));
    const backends = `FROM pg_stat_activity WHERE usename = '${own.role}'`;
    return {
      database,
      isPrepared: async () =>
        (await database.query((sql) => sql`SELECT 1 FROM pg_prepared_statements`)).length > 0,
      /** The pooler goes on with a new connection, which knows none of the statements. */
      recycle: async () => {
        await own.run(`SELECT pg_terminate_backend(pid) ${backends}`);
        await eventually(
          "it is gone",
          async () => (await own.run(`SELECT ${backends}`)).length === 0,
        );
      },
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  }

  test("a statement that it lost runs again, unprepared from then on", async () => {
    await using disguised = await openDisguised();
    const { database } = disguised;
    const ask = (n: number) => database.query((sql) => sql`SELECT ${n}::int AS n`);
    await ask(0);
    expect(await disguised.isPrepared()).toBe(true);
    await disguised.recycle();
    const many = Array.from({ length: 30 }, (_, n) => ask(n));
    const numbers = (await Promise.all(many)).map(([row]) => row?.["n"]);
    expect(numbers).toEqual(many.map((_, n) => n));
    await disguised.recycle();
    expect((await ask(7))[0]?.["n"]).toBe(7);
    expect(await disguised.isPrepared()).toBe(false);
  });

  test("so is a whole transaction, once", async () => {
    await using disguised = await openDisguised();
    const { database } = disguised;
    await database.migrate("room", ['CREATE TABLE :"schema".t (n int)']);
    const add = (n: number) =>
      database.transaction(async (sql, schema) => {
        await sql`INSERT INTO ${schema}.t VALUES (${n})`;
        await sql`INSERT INTO ${schema}.t VALUES (${n})`;
      });
    await add(1);
    await disguised.recycle();
    await add(2);
    const rows = await database.query((sql, schema) => sql`SELECT n FROM ${schema}.t ORDER BY n`);
    expect(rows.map((row) => row["n"])).toEqual([1, 1, 2, 2]);
  });

  test("a name that another client has too; a statement that stays lost fails", async () => {
    await using own = await openOwnDatabase(postgres);
    await own.run(`GRANT ALL ON SCHEMA public TO ${own.role}`);
    await using database = openPostgres(postgresAt(`${own.url}?connection_limit=1`));
    const prepare = () => database.query((sql) => sql.unsafe("PREPARE taken AS SELECT 1"));
    await prepare();
    await prepare(); // 42P05, and on a new connection it is free
    const error = await database.query((sql) => sql.unsafe("EXECUTE lost")).catch(String);
    expect(error).toContain('prepared statement "lost" does not exist');
  });
});

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
