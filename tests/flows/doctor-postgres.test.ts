import { describe, expect, test } from "bun:test";
import { schemaModules } from "../../src/compose/doctor.ts";
import { diagnosePostgres } from "../../src/core/postgres/diagnose.ts";
import { findEngine } from "../../support/engines.ts";
import { openTestPostgres, postgresAt } from "../../support/postgres-schema.ts";
import { diagnosed, examineWith, findTrouble, troubles } from "../support/doctor.ts";

const url = findEngine("postgres") ?? "postgres://127.0.0.1/none";

type TestPostgres = Awaited<ReturnType<typeof openTestPostgres>>;

function changed(change: (url: URL) => void): string {
  const other = new URL(url);
  change(other);
  return other.href;
}

describe.skipIf(findEngine("postgres") === undefined)("doctor on Postgres", () => {
  test("finds nothing wrong where the tables can be created, or exist", async () => {
    await using database = await openTestPostgres(url);
    const settings = { DATABASE_URL: url, DB_SCHEMA: database.schema };
    const before = await examineWith(settings);
    expect(before.exitCode).toBe(0);
    expect(before.text).toContain("The next start creates or upgrades the tables of auth-users");
    for (const { module, steps } of schemaModules) await database.migrate(module, steps);
    expect((await examineWith(settings)).text).toContain("Its tables are up to date");
  });

  test("finds tables of a newer release", async () => {
    await using database = await openTestPostgres(url);
    await database.migrate("auth-users", ["SELECT 1", "SELECT 1", "SELECT 1"]);
    const options = postgresAt(url, database.schema);
    const found = await diagnosed((diagnosis) =>
      diagnosePostgres(options, [{ module: "auth-users", steps: ["SELECT 1"] }], diagnosis),
    );
    expect(findTrouble(found, "postgres.schema")).toMatchObject({
      level: "fault",
      text: "Tables of auth-users are at version 3; this program knows 1",
      fix: expect.stringContaining("A newer release created them"),
    });
  });

  /** A role without any right, gone with its scope. */
  async function openRole(database: TestPostgres) {
    const role = `${database.schema}_role`;
    const secret = crypto.randomUUID();
    const run = (statement: string) => database.query((sql) => sql.unsafe(statement));
    await run(`CREATE ROLE ${role} LOGIN PASSWORD '${secret}'`);
    const limited = changed((other) => {
      other.username = role;
      other.password = secret;
    });
    return {
      run,
      follow: (fix: string) => run(fix.slice(fix.indexOf("GRANT")).replace("<this role>", role)),
      grant: (right: string) => run(`GRANT ${right} TO ${role}`),
      look: (schema: string) =>
        diagnosed((diagnosis) =>
          diagnosePostgres(postgresAt(limited, schema), schemaModules, diagnosis),
        ),
      [Symbol.asyncDispose]: async () => {
        await run(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
      },
    };
  }

  test("finds a role that may not create tables, and its fix works", async () => {
    await using database = await openTestPostgres(url);
    await using role = await openRole(database);
    await database.query((sql, schema) => sql`DROP TABLE ${schema}.instant_schema_versions`);
    await role.grant(`USAGE ON SCHEMA ${database.schema}`);
    const { fix = "" } = findTrouble(await role.look(database.schema), "postgres.schema");
    expect(fix).toContain(`GRANT CREATE ON SCHEMA ${database.schema}`);
    await role.follow(fix);
    expect(troubles(await role.look(database.schema))).toEqual([]);
  });

  test("finds a role that may not use the schema, and its fix works", async () => {
    await using database = await openTestPostgres(url);
    await using role = await openRole(database);
    await database.query((sql, schema) => sql`DROP TABLE ${schema}.instant_schema_versions`);
    const { text, fix = "" } = findTrouble(await role.look(database.schema), "postgres.schema");
    expect(text).toContain("may not use");
    await role.follow(fix);
    expect(troubles(await role.look(database.schema))).toEqual([]);
  });

  test("warns that the login is not bound to the TLS connection when the URL asks for it", async () => {
    await using database = await openTestPostgres(url);
    const look = (query: string) => {
      const asking = changed((other) => {
        other.search = query;
      });
      const options = postgresAt(asking, database.schema);
      return diagnosed((diagnosis) => diagnosePostgres(options, schemaModules, diagnosis));
    };
    const found = await look("?channel_binding=require");
    expect(troubles(found)).toEqual(["postgres.channel_binding"]);
    expect(findTrouble(found, "postgres.channel_binding")).toMatchObject({
      level: "warning",
      text: expect.stringContaining("channel_binding=require"),
      fix: expect.stringContaining("sslmode=verify-full"),
    });
    expect(troubles(await look("?channel_binding=prefer"))).toEqual([]);
  });

  test("finds tables of another role, and its fix works", async () => {
    await using database = await openTestPostgres(url);
    await using role = await openRole(database);
    await role.grant(`USAGE ON SCHEMA ${database.schema}`);
    const { text, fix = "" } = findTrouble(await role.look(database.schema), "postgres.schema");
    expect(text).toContain("belong to");
    await role.follow(fix);
    expect(troubles(await role.look(database.schema))).toEqual([]);
  });

  test("tells apart a wrong password, a missing database, a wrong port and a wrong host", async () => {
    const look = async (other: string) => {
      const { findings, text } = await examineWith({ DATABASE_URL: other });
      expect(text).not.toContain(new URL(other).password);
      return findTrouble(findings, "postgres.reachable");
    };
    const password = await look(changed((other) => (other.password = "not-this-password")));
    expect(password.text).toContain("refused the password");
    expect(password.fix).toBe("Check the password in DATABASE_URL");
    const database = await look(changed((other) => (other.pathname = "/no_such_database")));
    expect(database.fix).toContain("createdb no_such_database");
    const port = await look(changed((other) => (other.port = "1")));
    expect(port.text).toBe("Nothing listens on 127.0.0.1:1");
    const name = await look(changed((other) => (other.hostname = "nowhere.invalid")));
    expect(name.text).toContain("cannot be resolved");
  });
});
