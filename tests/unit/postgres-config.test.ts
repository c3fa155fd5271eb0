import { expect, test } from "bun:test";
import { parseConfig } from "../../src/core/config.ts";
import { checkPostgres, postgresFields, resolvePostgres } from "../../src/core/postgres/config.ts";

function resolve(environment: Record<string, string>) {
  const { postgres } = parseConfig({ postgres: postgresFields }, environment);
  return { options: resolvePostgres(postgres), problems: checkPostgres(postgres) };
}

test("nothing set means the embedded engine", () => {
  expect(resolve({ DB_PORT: "5432" })).toEqual({ options: undefined, problems: [] });
});

test("a URL is taken as it is, with the schema beside it", () => {
  const { options } = resolve({ DATABASE_URL: "postgres://h/d", DB_SCHEMA: "app" });
  expect(options).toEqual({ url: "postgres://h/d", schema: "app" });
});

test("the parts make the same connection", () => {
  const { options, problems } = resolve({
    DB_HOST: "h",
    DB_DATABASE: "d",
    DB_USERNAME: "u",
    DB_PASSWORD: "p",
  });
  expect(problems).toEqual([]);
  expect(options).toEqual({
    host: "h",
    port: 5432,
    database: "d",
    username: "u",
    password: "p",
    schema: undefined,
  });
});

test("both ways at once is a problem", () => {
  const { problems } = resolve({ DATABASE_URL: "postgres://h/d", DB_HOST: "h" });
  expect(problems.map(({ name }) => name)).toEqual(["DATABASE_URL"]);
});

test("a host without database and role is a problem for each", () => {
  expect(resolve({ DB_HOST: "h" }).problems.map(({ name }) => name)).toEqual([
    "DB_DATABASE",
    "DB_USERNAME",
  ]);
});

test("a password without a host is a problem", () => {
  const { options, problems } = resolve({ DB_PASSWORD: "p" });
  expect(options).toBeUndefined();
  expect(problems.map(({ name }) => name)).toEqual(["DB_PASSWORD"]);
});

test.each(["App", "a-b", "1a", 'a"b', "x".repeat(64)])("%j is no schema", (schema) => {
  expect(() => resolve({ DB_SCHEMA: schema })).toThrow("DB_SCHEMA must be 1 to 63 lower-case");
});
