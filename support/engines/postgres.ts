import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { installDebian, MissingError } from "./packages.ts";
import type { Recipe } from "./server.ts";
import { answersPostgres, choosePort, parseUrlAddress, startDetached } from "./server.ts";

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

interface ClusterOptions {
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
function makeCluster(options: ClusterOptions): { data: string; owner: Owner | undefined } {
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

const usualPort = 5432;
const user = "instant";
const database = "instant";

export const postgres: Recipe = {
  name: "postgres",
  usualPort,
  variable: "DATABASE_URL",
  findGiven: ({ DATABASE_URL }) => (DATABASE_URL ? { DATABASE_URL } : undefined),
  answers: ({ DATABASE_URL = "" }) => answersPostgres(parseUrlAddress(DATABASE_URL, usualPort)),
  planDocker: (hostPort, directory) => {
    const password = keepPassword(join(directory, "password"));
    return {
      image: "postgres:17.4-alpine",
      port: usualPort,
      environment: { POSTGRES_USER: user, POSTGRES_DB: database, POSTGRES_PASSWORD: password },
      command: [],
      variables: { DATABASE_URL: toUrl(hostPort, password) },
    };
  },
  start: async ({ directory, log, print }) => {
    const programs = await needPrograms(print);
    const password = keepPassword(join(directory, "password"));
    const cluster = makeCluster({ directory, programs, user, database, password });
    const port = await choosePort(usualPort);
    // No socket file: its path may be too long, and nothing needs it.
    const where = ["-h", "127.0.0.1", "-p", String(port), "-c", "unix_socket_directories="];
    const process = startDetached([join(programs, "postgres"), "-D", cluster.data, ...where], {
      log,
      directory: cluster.data,
      ...(cluster.owner === undefined ? {} : { user: cluster.owner }),
    });
    return { variables: { DATABASE_URL: toUrl(port, password) }, process };
  },
};

function toUrl(port: number, password: string): string {
  return `postgres://${user}:${password}@127.0.0.1:${port}/${database}`;
}

/** The folder of initdb and postgres: Debian keeps them off PATH, one folder a version. */
async function needPrograms(print: (line: string) => void): Promise<string> {
  const found = findPrograms();
  if (found !== undefined) return found;
  await installDebian("postgresql", "PostgreSQL", print);
  const installed = findPrograms();
  if (installed === undefined) throw new Error("postgresql was installed, but has no initdb");
  return installed;
}

function findPrograms(): string | undefined {
  const onPath = Bun.which("initdb");
  if (onPath !== null) return dirname(resolve(onPath));
  const versions = "/usr/lib/postgresql";
  if (!existsSync(versions)) return undefined;
  return readdirSync(versions)
    .toSorted((a, b) => Number(b) - Number(a))
    .map((version) => join(versions, version, "bin"))
    .find((folder) => existsSync(join(folder, "initdb")));
}

/** The password made at the first start: 144 random bits, mode 0600. */
function keepPassword(path: string): string {
  if (!existsSync(path)) {
    writeFileSync(path, randomBytes(18).toString("base64url"), { mode: 0o600 });
    chmodSync(path, 0o600);
  }
  return readFileSync(path, "utf8");
}
