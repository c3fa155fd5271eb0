import { chmodSync, chownSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import postgres from "postgres";
import { choosePort } from "../../support/engines/server.ts";
import { findEngine } from "../../support/engines.ts";
import type { OwnServer } from "../../support/own-server.ts";
import { isListening, openOwnServer } from "../../support/own-server.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

export interface OwnPgbouncer extends OwnServer {
  /** The database behind it, through it. */
  readonly url: string;
}

interface PgbouncerOptions {
  /** The server behind it. */
  readonly postgres: string;
  readonly mode: "session" | "transaction";
  /** Further lines of the section [pgbouncer]. */
  readonly settings?: readonly string[];
}

/**
 * Debian's pgbouncer with its own defaults, so that it refuses startup parameters. Two connections
 * to the server, so that in transaction mode a client soon meets a connection it did not have before.
 */
export async function openOwnPgbouncer(options: PgbouncerOptions): Promise<OwnPgbouncer> {
  const program = findEngine("pgbouncer");
  if (program === undefined) throw new Error("no pgbouncer");
  const { mode, settings = [] } = options;
  const server = new URL(options.postgres);
  const directory = temporaryDirectory();
  const port = await choosePort(0);
  const [users, file] = ["users.txt", "pgbouncer.ini"].map((name) => join(directory.path, name));
  const [user, password] = [server.username, server.password].map(decodeURIComponent);
  writeFileSync(users ?? "", `"${user}" "${password}"\n`);
  writeFileSync(
    file ?? "",
    [
      "[databases]",
      `* = host=${server.hostname} port=${server.port || 5432}`,
      "[pgbouncer]",
      "listen_addr = 127.0.0.1",
      `listen_port = ${port}`,
      "unix_socket_dir =",
      "auth_type = scram-sha-256",
      `auth_file = ${users}`,
      `pool_mode = ${mode}`,
      ...(mode === "transaction" ? ["default_pool_size = 2"] : []),
      ...settings,
      "",
    ].join("\n"),
  );
  const isRoot = process.getuid?.() === 0;
  if (isRoot) {
    // pgbouncer refuses to be root, and reads its files as nobody.
    chmodSync(directory.path, 0o755);
    for (const path of [users, file]) chownSync(path ?? "", 65_534, 65_534);
  }
  const asNobody = isRoot ? ["-u", "nobody"] : [];
  const url = new URL(server);
  url.hostname = "127.0.0.1";
  url.port = String(port);
  const pgbouncer = await openOwnServer({
    command: [program, "-q", ...asNobody, file ?? ""],
    directory,
    answers: () => isListening(port),
  });
  return { ...pgbouncer, url: url.href };
}

export interface OwnDatabase extends AsyncDisposable {
  /** As a role of its own, which owns the database and may make schemas in it. */
  readonly url: string;
  readonly role: string;
  /** As the owner of the server, in this database. */
  run(statement: string): Promise<readonly Record<string, unknown>[]>;
}

/** A database and a role on the server of the tests, both gone with the scope. */
export async function openOwnDatabase(server: string): Promise<OwnDatabase> {
  const stack = new AsyncDisposableStack();
  const name = `test_${crypto.randomUUID().replaceAll("-", "").slice(0, 16)}`;
  const password = crypto.randomUUID();
  const admin = connect(server, stack);
  await admin.unsafe(`CREATE ROLE ${name} LOGIN PASSWORD '${password}'`);
  stack.defer(async () => void (await admin.unsafe(`DROP ROLE ${name}`)));
  await admin.unsafe(`CREATE DATABASE ${name} OWNER ${name}`);
  stack.defer(async () => void (await admin.unsafe(`DROP DATABASE ${name} WITH (FORCE)`)));
  const url = new URL(server);
  url.pathname = `/${name}`;
  const inside = connect(url.href, stack);
  [url.username, url.password] = [name, password];
  return {
    url: url.href,
    role: name,
    run: async (statement) => await inside.unsafe(statement),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function connect(url: string, stack: AsyncDisposableStack): postgres.Sql {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  stack.defer(() => sql.end({ timeout: 1 }));
  return sql;
}
