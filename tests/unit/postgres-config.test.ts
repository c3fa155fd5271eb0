import { describe, expect, test } from "bun:test";
import type { ConfigProblem } from "../../src/core/config.ts";
import { addressOf, postgresFields, resolvePostgres } from "../../src/core/postgres/config.ts";
import { parseConfig } from "../../support/settings.ts";

function resolve(environment: Record<string, string>) {
  const { postgres } = parseConfig({ postgres: postgresFields }, environment);
  const problems: ConfigProblem[] = [];
  const connection = resolvePostgres(postgres, problems);
  const text = problems.map(({ name, problem }) => `${name} ${problem}`).join("\n");
  return { connection, problems, names: problems.map(({ name }) => name), text };
}

test("nothing set means the embedded engine", () => {
  expect(resolve({ DB_PORT: "5432" })).toMatchObject({ connection: undefined, problems: [] });
});

test("the parts make the same connection as a URL", () => {
  const parts = { DB_HOST: "h", DB_DATABASE: "d", DB_USERNAME: "u", DB_PASSWORD: "p" };
  const { connection, problems } = resolve({ ...parts, DB_SCHEMA: "app" });
  const url = resolve({ DATABASE_URL: "postgres://u:p@h/d", DB_SCHEMA: "app" });
  expect(problems).toEqual([]);
  expect(connection).toMatchObject({ host: "h", port: 5432, database: "d", schema: "app" });
  expect(url.connection).toMatchObject({ ...connection, fromUrl: true });
});

test("both ways at once is a problem", () => {
  const { names } = resolve({ DATABASE_URL: "postgres://h/d", DB_HOST: "h" });
  expect(names).toEqual(["DATABASE_URL"]);
});

test("a host without database and role is a problem for each", () => {
  expect(resolve({ DB_HOST: "h" }).names).toEqual(["DB_DATABASE", "DB_USERNAME"]);
});

test("a password without a host is a problem", () => {
  const { connection, names } = resolve({ DB_PASSWORD: "p" });
  expect(connection).toBeUndefined();
  expect(names).toEqual(["DB_PASSWORD"]);
});

test("two schemas are a problem", () => {
  const { text } = resolve({ DATABASE_URL: "postgres://h/d?schema=a", DB_SCHEMA: "b" });
  expect(text).toContain("names the schema a, and DB_SCHEMA names b");
});

test.each(["App", "a-b", "1a", 'a"b', "x".repeat(64)])("%j is no schema", (schema) => {
  expect(() => resolve({ DB_SCHEMA: schema })).toThrow("DB_SCHEMA must be 1 to 63 lower-case");
});

describe("DATABASE_URL", () => {
  const base = "postgresql://ana:pw@db.example.com/app";

  test.each([
    ["sslmode=require&channel_binding=require", { ssl: "require", wantsChannelBinding: true }],
    ["sslmode=disable", { ssl: false }],
    ["sslmode=allow", { ssl: "prefer" }],
    ["sslmode=prefer", { ssl: "prefer" }],
    ["sslmode=no-verify", { ssl: "require" }],
    ["sslmode=verify-full", { ssl: "verify-full" }],
    ["sslmode=verify-ca", { ssl: { checkServerIdentity: expect.any(Function) } }],
    ["ssl=true", { ssl: "verify-full" }],
    ["sslaccept=strict", { ssl: "verify-full" }],
    ["sslrootcert=system", { ssl: "verify-full" }],
    ["pgbouncer=true&connection_limit=1&pool_timeout=10", { pooled: true, connectionsMax: 1 }],
    ["statement_cache_size=0", { pooled: true }],
    ["schema=shop", { schema: "shop" }],
    ["options=-c%20search_path%3Dshop", { schema: "shop", startupOptions: undefined }],
    [
      "options=--search_path%3Dshop%20endpoint%3Dx",
      { schema: "shop", startupOptions: "endpoint=x" },
    ],
    ["options=endpoint%3Dep-cool", { startupOptions: "endpoint=ep-cool" }],
    ["application_name=mine&connect_timeout=10", { applicationName: "mine" }],
    ["target_session_attrs=read-write&uselibpqcompat=true&supa=base-pooler.x", {}],
  ] as const)("%s is taken", (query, expected) => {
    const { connection, problems } = resolve({ DATABASE_URL: `${base}?${query}` });
    expect(problems).toEqual([]);
    expect(connection).toMatchObject(expected);
  });

  test.each([
    ["sslmode=maybe", "sslmode=…, which must be one of disable"],
    ["target_session_attrs=standby", "target_session_attrs=…, which must be read-write"],
    ["schema=a,b", "schema=…, which must be one schema"],
    ["sslcert=client.crt", "sslcert=…, which asks for a client certificate"],
    ["sslrootcert=/ca.pem", "NODE_EXTRA_CA_CERTS"],
    ["gssencmode=require", "gssencmode=…, which cannot be require"],
    ["host=/var/run/postgresql", "host=…"],
    ["made_up=1", "made_up=…, which is unknown here"],
  ] as const)("%s is refused by name", (query, expected) => {
    const { text } = resolve({ DATABASE_URL: `${base}?${query}` });
    expect(text).toContain(expected);
  });

  test.each([
    ["postgres://h", "h:5432/", undefined],
    ["postgres://u:p%40ss%2Fw%3Ard@h/d", "h:5432/d", "p@ss/w:rd"],
    ["postgresql://u:p@[::1]/d", "[::1]:5432/d", "p"],
    ["postgresql://u:p@[::1]:6543/d", "[::1]:6543/d", "p"],
    ["postgres://u:p,w@h/d?sslmode=disable", "h:5432/d", "p,w"],
  ] as const)("%s is a legal form", (text, address, password) => {
    const { connection, problems } = resolve({ DATABASE_URL: text });
    expect(problems).toEqual([]);
    expect(connection?.password).toBe(password);
    expect(connection && addressOf(connection)).toBe(address);
  });

  test.each([
    ["postgres:///d", "names no host"],
    ["postgres://%2Fvar%2Frun/d", "names a Unix socket"],
    ["postgres://u:50%secret@h/d", "is no valid escape"],
  ] as const)("%s is refused, without its password", (text, expected) => {
    const problems = resolve({ DATABASE_URL: text });
    expect(problems.text).toContain(expected);
    expect(problems.text).not.toContain("secret");
  });

  test("several hosts are a problem", () => {
    expect(() => resolve({ DATABASE_URL: "postgres://h:1,i:2/d" })).toThrow("names several hosts");
  });
});
