import { expect, test } from "bun:test";
import { parseConfig } from "../../src/core/config.ts";
import { checkPostgres, postgresFields } from "../../src/core/postgres/config.ts";
import { addressOf } from "../../src/core/postgres/pool.ts";
import { readPostgresUrl } from "../../src/core/postgres/url.ts";

const base = "postgresql://ana:pw@db.example.com/app";
const read = (query: string) => readPostgresUrl(`${base}?${query}`);

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
  ["options=--search_path%3Dshop%20endpoint%3Dx", { schema: "shop", startupOptions: "endpoint=x" }],
  ["options=endpoint%3Dep-cool", { startupOptions: "endpoint=ep-cool" }],
  ["application_name=mine&connect_timeout=10", { applicationName: "mine" }],
  ["target_session_attrs=read-write&uselibpqcompat=true&supa=base-pooler.x", {}],
] as const)("%s is taken", (query, expected) => {
  const { url, problems } = read(query);
  expect(problems).toEqual([]);
  expect(url).toMatchObject(expected);
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
  const { problems } = read(query);
  expect(problems.join()).toContain(expected);
});

test.each([
  ["postgres://h", "h:5432/", undefined],
  ["postgres://u:p%40ss%2Fw%3Ard@h/d", "h:5432/d", "p@ss/w:rd"],
  ["postgresql://u:p@[::1]/d", "[::1]:5432/d", "p"],
  ["postgresql://u:p@[::1]:6543/d", "[::1]:6543/d", "p"],
] as const)("%s is a legal form", (text, address, password) => {
  const { url, problems } = readPostgresUrl(text);
  expect(problems).toEqual([]);
  expect(addressOf({ url: text, schema: undefined })).toBe(address);
  expect(url.password).toBe(password);
});

test.each([
  ["postgres:///d", "names no host"],
  ["postgres://%2Fvar%2Frun/d", "names a Unix socket"],
  ["postgres://u:50%secret@h/d", "begins no escape"],
] as const)("%s is refused, without its password", (text, expected) => {
  const problems = readPostgresUrl(text).problems.join();
  expect(problems).toContain(expected);
  expect(problems).not.toContain("secret");
});

test("several hosts, and two schemas, are a start error of their own", () => {
  const parse = (environment: Record<string, string>) =>
    checkPostgres(parseConfig({ postgres: postgresFields }, environment).postgres);
  expect(() => parse({ DATABASE_URL: "postgres://h:1,i:2/d" })).toThrow("names several hosts");
  const [problem] = parse({ DATABASE_URL: "postgres://h/d?schema=a", DB_SCHEMA: "b" });
  expect(problem?.problem).toContain("names the schema a, and DB_SCHEMA b");
});
