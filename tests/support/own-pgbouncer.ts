import { chmodSync, chownSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { choosePort } from "../../support/engines/server.ts";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

export interface OwnPgbouncer extends AsyncDisposable {
  /** The database behind it, through it. */
  readonly url: string;
}

export interface PgbouncerOptions {
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
  const started = Bun.spawn([program, "-q", ...asNobody, file ?? ""], {
    stdout: "ignore",
    stderr: "ignore",
  });
  const url = new URL(server);
  url.hostname = "127.0.0.1";
  url.port = String(port);
  await eventually("pgbouncer listens", async () => {
    if (started.exitCode !== null) throw new Error("pgbouncer ended as it started");
    return isListening(port);
  });
  return {
    url: url.href,
    [Symbol.asyncDispose]: async () => {
      started.kill("SIGKILL");
      await started.exited;
      directory[Symbol.dispose]();
    },
  };
}

async function isListening(port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
    socket.end();
    return true;
  } catch {
    return false;
  }
}
