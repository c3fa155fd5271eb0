import { describe, expect, test } from "bun:test";
import { coreErrors, isInstantError } from "../../src/core/errors.ts";
import { openPostgres } from "../../src/core/postgres/database.ts";
import { uniqueViolation } from "../../src/core/postgres/pool.ts";
import { findEngine } from "../../support/engines.ts";
import { openTestPostgres, postgresAt } from "../../support/postgres-schema.ts";
import { StallableProxy } from "../../support/stallable-proxy.ts";

const url = findEngine("postgres") ?? "";
const { host } = url === "" ? { host: "" } : new URL(url);

const failure = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => "it succeeded",
    (error: unknown) => error,
  );
const isUnavailable = (error: unknown) => isInstantError(error, coreErrors.postgresUnavailable);

describe.skipIf(url === "")("Postgres", () => {
  test("migrations run once and in order, however many processes start together", async () => {
    await using database = await openTestPostgres(url);
    const steps = [
      'CREATE TABLE :"schema".t (n int); INSERT INTO :"schema".t VALUES (1)',
      'INSERT INTO :"schema".t VALUES (2)',
    ];
    await Promise.all(Array.from({ length: 6 }, () => database.migrate("room", steps)));
    const rows = await database.query((sql, schema) => sql`SELECT n FROM ${schema}.t ORDER BY n`);
    expect(rows.map((row) => row["n"])).toEqual([1, 2]);
  });

  test("a failing step leaves nothing behind and names the reason", async () => {
    await using database = await openTestPostgres(url);
    const error = await failure(
      database.migrate("room", ['CREATE TABLE :"schema".t (n int)', "NONSENSE"]),
    );
    expect(isInstantError(error, coreErrors.postgresFailed)).toBe(true);
    expect(String(error)).toContain("NONSENSE");
    const rows = await database.query(
      (sql) => sql`SELECT 1 FROM pg_tables WHERE schemaname = ${database.schema}
        AND tablename = 't'`,
    );
    expect(rows).toHaveLength(0);
  });

  test("tables of a newer program are refused", async () => {
    await using database = await openTestPostgres(url);
    await database.migrate("room", [
      'CREATE TABLE :"schema".t (n int)',
      'CREATE TABLE :"schema".u (n int)',
    ]);
    const error = await failure(database.migrate("room", ['CREATE TABLE :"schema".t (n int)']));
    expect(String(error)).toContain("written by a newer instant");
  });

  test("tables of release 0.1, whose versions name a room, are kept", async () => {
    await using database = await openTestPostgres(url);
    await database.migrate("auth-users", ['CREATE TABLE :"schema".t (n int)']);
    await database.query(
      (sql, schema) => sql`ALTER TABLE ${schema}.instant_schema_versions RENAME module TO room`,
    );
    await database.migrate("auth-users", [
      'CREATE TABLE :"schema".t (n int)',
      'INSERT INTO :"schema".t VALUES (2)',
    ]);
    const rows = await database.query((sql, schema) => sql`SELECT n FROM ${schema}.t`);
    expect(rows.map((row) => row["n"])).toEqual([2]);
  });

  test("a transaction is all or nothing", async () => {
    await using database = await openTestPostgres(url);
    await database.migrate("room", ['CREATE TABLE :"schema".t (n int)']);
    await failure(
      database.transaction(async (sql, schema) => {
        await sql`INSERT INTO ${schema}.t VALUES (1)`;
        throw new Error("changed my mind");
      }),
    );
    expect(await database.query((sql, schema) => sql`SELECT n FROM ${schema}.t`)).toHaveLength(0);
  });

  test("a unique violation names its constraint", async () => {
    await using database = await openTestPostgres(url);
    await database.migrate("room", ['CREATE TABLE :"schema".t (n int CONSTRAINT only_one UNIQUE)']);
    await database.query((sql, schema) => sql`INSERT INTO ${schema}.t VALUES (1)`);
    const error = await failure(
      database.query((sql, schema) => sql`INSERT INTO ${schema}.t VALUES (1)`),
    );
    expect(uniqueViolation(error)).toBe("only_one");
  });

  test("a table that gets a column breaks no statement that was prepared before", async () => {
    await using database = await openTestPostgres(url);
    await database.migrate("room", ['CREATE TABLE :"schema".t (n int)']);
    const all = () =>
      Array.from({ length: 30 }, (_, n) =>
        database.query((sql, schema) => sql`SELECT t.*, ${n}::int AS asked FROM ${schema}.t`),
      );
    await database.query((sql, schema) => sql`INSERT INTO ${schema}.t VALUES (1)`);
    await Promise.all(all());
    await database.query((sql, schema) => sql`ALTER TABLE ${schema}.t ADD COLUMN m int`);
    const rows = (await Promise.all(all())).map(([row]) => row);
    expect(rows).toEqual(rows.map((_, asked) => ({ n: 1, m: null, asked })));
  });

  test("a statement that takes too long is ended by the server within 2 s", async () => {
    await using database = await openTestPostgres(url);
    const startedAt = performance.now();
    const error = await failure(database.query((sql) => sql`SELECT pg_sleep(30)`));
    expect(isUnavailable(error)).toBe(true);
    expect(String(error)).toContain("statement timeout");
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  test("a server that is not there is unavailable at once, and the error names it", async () => {
    await using database = openPostgres(postgresAt("postgres://u:pw@127.0.0.1:9/x"));
    const error = await failure(database.query((sql) => sql`SELECT 1`));
    expect(isUnavailable(error)).toBe(true);
    expect(String(error)).toContain("127.0.0.1:9/x");
    expect(String(error)).not.toContain("pw");
  });

  test("a server that goes silent is unavailable within the deadline, and used again later", async () => {
    await using proxy = new StallableProxy(host);
    const through = url.replace(host, `127.0.0.1:${proxy.port}`);
    await using database = openPostgres(postgresAt(through), { deadlineMs: 300 });
    await database.ping({ deadlineMs: 300 });
    proxy.stall();
    const startedAt = performance.now();
    const errors = await Promise.all(
      Array.from({ length: 30 }, () => failure(database.query((sql) => sql`SELECT 1`))),
    );
    expect(errors.every(isUnavailable)).toBe(true);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(isUnavailable(await failure(database.ping({ deadlineMs: 300 })))).toBe(true);
    proxy.resume();
    await database.ping({ deadlineMs: 2_000 });
  });

  test("closing lets the statement in flight finish, later calls are refused", async () => {
    const database = openPostgres(postgresAt(url));
    const slow = database.query((sql) => sql`SELECT pg_sleep(0.2), 7 AS n`);
    await database.ping({ deadlineMs: 2_000 });
    await Promise.all([database.close(), database.close()]);
    expect((await slow)[0]?.["n"]).toBe(7);
    expect(isUnavailable(await failure(database.ping({ deadlineMs: 100 })))).toBe(true);
  });
});
