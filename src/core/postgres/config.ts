import type { ConfigProblem, ConfigValues } from "../config.ts";
import { namesSeveralHosts, setting } from "../config.ts";
import type { PostgresConnection } from "./url.ts";
import { connectionDefaults, parsePostgresUrl } from "./url.ts";

export const postgresFields = {
  url: setting.url({
    name: "DATABASE_URL",
    protocols: ["postgres:", "postgresql:"],
    explain: (text) =>
      namesSeveralHosts(text)
        ? "names several hosts; give one, or a name that follows the primary"
        : undefined,
    secret: true,
    example: "postgres://instant:password@localhost:5432/instant?sslmode=verify-full",
    doc: "URL of Postgres. Unset (and no DB_HOST): a SQLite file. TLS with sslmode=require (certificate not checked) or verify-full (private authorities: NODE_EXTRA_CA_CERTS=file).",
  }),
  host: setting.text({
    name: "DB_HOST",
    charsMax: 255,
    example: "localhost",
    doc: "Host of Postgres, instead of DATABASE_URL; needs DB_DATABASE and DB_USERNAME. Without TLS; use DATABASE_URL for TLS.",
  }),
  port: setting.port({ name: "DB_PORT", fallback: "5432", doc: "The port, with DB_HOST." }),
  database: setting.text({
    name: "DB_DATABASE",
    charsMax: 63,
    example: "instant",
    doc: "The database, with DB_HOST.",
  }),
  username: setting.text({
    name: "DB_USERNAME",
    charsMax: 63,
    example: "instant",
    doc: "The role to log in as, with DB_HOST.",
  }),
  password: setting.secret({
    name: "DB_PASSWORD",
    doc: "The password, with DB_HOST. Unset: no password.",
  }),
  schema: setting.pattern({
    name: "DB_SCHEMA",
    pattern: /^[a-z_][a-z0-9_]{0,62}$/,
    shape: "1 to 63 lower-case letters, digits and underscores, not beginning with a digit",
    example: "instant",
    doc: "The schema of the tables, with DATABASE_URL as well as with DB_HOST; created if missing. Unset: the role's search path (usually public).",
  }),
} as const;

/**
 * Where Postgres is; undefined when no address is set, which means the embedded engine. Settings
 * that do not fit together are pushed to `problems`.
 */
export function resolvePostgres(
  values: ConfigValues<typeof postgresFields>,
  problems: ConfigProblem[],
): PostgresConnection | undefined {
  const { url, host, port, database, username, password, schema } = values;
  const report = (name: string, problem: string) => problems.push({ name, problem });
  if (url !== undefined) {
    if (host !== undefined) report("DATABASE_URL", "and DB_HOST are both set; keep one of them");
    const found: string[] = [];
    const connection = parsePostgresUrl(url, found);
    for (const problem of found) report("DATABASE_URL", problem);
    const ofUrl = connection.schema;
    if (schema !== undefined && ofUrl !== undefined && schema !== ofUrl) {
      const problem = `names the schema ${ofUrl}, and DB_SCHEMA names ${schema}; keep one of them`;
      report("DATABASE_URL", problem);
    }
    return { ...connection, schema: schema ?? ofUrl };
  }
  if (host === undefined) {
    if (password !== undefined) {
      report("DB_PASSWORD", "is set, but neither DB_HOST nor DATABASE_URL is");
    }
    return undefined;
  }
  for (const [name, value] of Object.entries({ DB_DATABASE: database, DB_USERNAME: username })) {
    if (value === undefined) report(name, `is needed with DB_HOST; for example ${name}=instant`);
  }
  return { ...connectionDefaults, host, port, database, username, password, schema };
}
