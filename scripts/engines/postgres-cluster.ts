import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MissingError } from "./packages.ts";

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface ClusterOptions {
  readonly directory: string;
  /** The folder of initdb and postgres. */
  readonly programs: string;
  readonly user: string;
  readonly database: string;
  readonly password: string;
}

/**
 * A cluster of our own with one user, whose password is asked for on every connection. Made when
 * it is not there. Postgres refuses to run as root: there the system's user postgres owns it.
 */
export function makeCluster(options: ClusterOptions): { data: string; owner: Owner | undefined } {
  const owner = process.getuid?.() === 0 ? findOwner() : undefined;
  const data = join(chooseFolder(options.directory, owner), "data");
  if (!existsSync(join(data, "PG_VERSION"))) {
    rmSync(data, { recursive: true, force: true });
    initialise(data, owner, options);
  }
  return { data, owner };
}

function initialise(data: string, owner: Owner | undefined, options: ClusterOptions): void {
  makeFolder(data, owner);
  const secret = join(data, "..", ".password");
  writeFileSync(secret, options.password, { mode: 0o600 });
  if (owner !== undefined) chownSync(secret, owner.uid, owner.gid);
  try {
    const login = [`--username=${options.user}`, `--pwfile=${secret}`, "--auth=scram-sha-256"];
    const form = ["--encoding=UTF8", "--no-locale", "--no-instructions"];
    const initdb = [join(options.programs, "initdb"), "-D", data, ...login, ...form];
    runAs(owner, data, initdb);
    // The only moment when no password is needed: nobody listens yet.
    const single = [join(options.programs, "postgres"), "--single", "-D", data, "postgres"];
    runAs(owner, data, single, `CREATE DATABASE ${options.database}\n`);
  } catch (error) {
    rmSync(data, { recursive: true, force: true });
    throw error;
  } finally {
    rmSync(secret, { force: true });
  }
}

function runAs(
  owner: Owner | undefined,
  directory: string,
  command: readonly string[],
  input = "",
): void {
  const [program = "", ...parameters] = command;
  const ran = spawnSync(program, parameters, { cwd: directory, input, ...owner });
  if (ran.status === 0) return;
  throw new Error(`${program} failed:\n${ran.stderr?.toString() ?? ran.error?.message ?? ""}`);
}

function findOwner(): Owner {
  const line = readFileSync("/etc/passwd", "utf8").match(/^postgres:[^:]*:(\d+):(\d+):/m);
  if (line === null) {
    throw new MissingError("PostgreSQL does not run as root, and there is no user postgres");
  }
  return { uid: Number(line[1]), gid: Number(line[2]) };
}

/**
 * The server's own folder, unless its owner cannot get there (a repository below a home that is
 * closed to others); then one under /var/lib/postgresql, named after the folder it stands for.
 */
function chooseFolder(directory: string, owner: Owner | undefined): string {
  if (owner === undefined) return directory;
  const own = join(directory, "cluster");
  makeFolder(own, owner);
  if (spawnSync("test", ["-w", own], { cwd: "/", ...owner }).status === 0) return own;
  const outside = nameOutsideFolder(directory);
  makeFolder(outside, owner);
  return outside;
}

/** Where the cluster stands that could not stand in `directory`. */
export function nameOutsideFolder(directory: string): string {
  const name = createHash("sha256").update(directory).digest("hex").slice(0, 12);
  return join("/var/lib/postgresql", `instant-${name}`);
}

function makeFolder(path: string, owner: Owner | undefined): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if (owner !== undefined) chownSync(path, owner.uid, owner.gid);
}
