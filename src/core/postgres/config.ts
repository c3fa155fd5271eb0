import type { ConfigProblem, ConfigValues } from "../config.ts";
import { patternField, portField, secretField, textField, urlField } from "../config.ts";
import type { PostgresOptions } from "./pool.ts";
import { readPostgresUrl } from "./url.ts";

export const postgresFields = {
  url: urlField({
    name: "DATABASE_URL",
    protocols: ["postgres:", "postgresql:"],
    explain: (text) =>
      /^postgres(?:ql)?:\/\/[^/?]*,/.test(text)
        ? "names several hosts; give one, or a name that follows the primary"
        : undefined,
    secret: true,
    example: "postgres://instant:password@localhost:5432/instant?sslmode=verify-full",
    doc: "URL of Postgres. Unset (and no DB_HOST): a SQLite file. TLS with sslmode=require (certificate not checked) or verify-full (private authorities: NODE_EXTRA_CA_CERTS=file).",
  }),
  host: textField({
    name: "DB_HOST",
    charsMax: 255,
    example: "localhost",
    doc: "Host of Postgres, instead of DATABASE_URL; needs DB_DATABASE and DB_USERNAME. Without TLS; use DATABASE_URL for TLS.",
  }),
  port: portField({ name: "DB_PORT", fallback: "5432", doc: "The port, with DB_HOST." }),
  database: textField({
    name: "DB_DATABASE",
    charsMax: 63,
    example: "instant",
    doc: "The database, with DB_HOST.",
  }),
  username: textField({
    name: "DB_USERNAME",
    charsMax: 63,
    example: "instant",
    doc: "The role to log in as, with DB_HOST.",
  }),
  password: secretField({
    name: "DB_PASSWORD",
    doc: "The password, with DB_HOST. Unset: no password.",
  }),
  schema: patternField({
    name: "DB_SCHEMA",
    pattern: /^[a-z_][a-z0-9_]{0,62}$/,
    shape: "1 to 63 lower-case letters, digits and underscores, not beginning with a digit",
    example: "instant",
    doc: "The schema of the tables, with DATABASE_URL as well as with DB_HOST; created if missing. Unset: the role's search path (usually public).",
  }),
} as const;

type PostgresValues = ConfigValues<typeof postgresFields>;

/** What the values of several variables say together that one alone cannot. */
export function checkPostgres(values: PostgresValues): ConfigProblem[] {
  const { url, host, database, username, password } = values;
  if (url !== undefined) {
    if (host === undefined) return checkUrl(url, values.schema);
    return [{ name: "DATABASE_URL", problem: "and DB_HOST are both set; keep one of them" }];
  }
  if (host === undefined) {
    if (password === undefined) return [];
    const problem = "is set, but neither DB_HOST nor DATABASE_URL says where Postgres is";
    return [{ name: "DB_PASSWORD", problem }];
  }
  const needed = { DB_DATABASE: database, DB_USERNAME: username };
  return Object.entries(needed)
    .filter(([, value]) => value === undefined)
    .map(([name]) => ({ name, problem: `is needed with DB_HOST; for example ${name}=instant` }));
}

function checkUrl(text: string, schema: string | undefined): ConfigProblem[] {
  const { url, problems } = readPostgresUrl(text);
  const found = problems.map((problem) => ({ name: "DATABASE_URL", problem }));
  if (schema === undefined || url.schema === undefined || schema === url.schema) return found;
  const problem = `names the schema ${url.schema}, and DB_SCHEMA ${schema}; keep one of them`;
  return [...found, { name: "DATABASE_URL", problem }];
}

/** Where Postgres is; undefined when no address is set, which means the embedded engine. */
export function resolvePostgres(values: PostgresValues): PostgresOptions | undefined {
  const { url, host, port, database, username, password, schema } = values;
  if (url !== undefined) return { url, schema };
  if (host === undefined) return undefined;
  return { host, port, database: database ?? "", username: username ?? "", password, schema };
}
