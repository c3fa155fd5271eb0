import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { answersPostgres, parseUrlAddress } from "./answers.ts";
import { installDebian } from "./packages.ts";
import { choosePort } from "./ports.ts";
import { makeCluster } from "./postgres-cluster.ts";
import { startDetached } from "./processes.ts";
import type { Recipe } from "./server.ts";

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
  start: async ({ directory, log, say }) => {
    const programs = await needPrograms(say);
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
async function needPrograms(say: (line: string) => void): Promise<string> {
  const found = findPrograms();
  if (found !== undefined) return found;
  await installDebian("postgresql", "PostgreSQL", say);
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
