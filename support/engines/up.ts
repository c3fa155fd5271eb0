import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { containerIsRunning, findDocker, removeContainer, startContainer } from "./docker.ts";
import { kafka } from "./kafka.ts";
import { MissingError, needProgram } from "./packages.ts";
import { nameOutsideFolder, postgres } from "./postgres.ts";
import type { Recipe, Server, ServerName } from "./server.ts";
import {
  answersRedis,
  answersSmtp,
  choosePort,
  endProcess,
  isRunning,
  parseAddress,
  parseUrlAddress,
  startDetached,
} from "./server.ts";
import type { ServerRecords } from "./state.ts";

const graceMs = 30_000;

/** Whether the process or container of a server is there, whether or not it answers. */
export async function isAlive({ origin }: Server): Promise<boolean> {
  if (origin.kind === "process") return isRunning(origin.process);
  if (origin.kind === "docker") return containerIsRunning(origin.container);
  return true;
}

/**
 * Ends a server that we started, by its own process or container, and forgets it. Postgres takes
 * SIGINT as "disconnect everybody and stop"; the others stop on SIGTERM. Killed after 30 s.
 */
export async function endServer(server: Server, records: ServerRecords): Promise<void> {
  const { name, origin } = server;
  if (origin.kind === "docker") await removeContainer(origin.container);
  if (origin.kind === "process") {
    await endProcess(origin.process, {
      signal: name === "postgres" ? "SIGINT" : "SIGTERM",
      graceMs,
    });
  }
  records.remove(name);
}

/** Deletes what a server kept: data, settings, password. It must have been ended before. */
export function wipeServer(name: ServerName, records: ServerRecords): void {
  const directory = records.folder(name);
  rmSync(directory, { recursive: true, force: true });
  if (name === "postgres") rmSync(nameOutsideFolder(directory), { recursive: true, force: true });
}

const redisPort = 6379;

/** A ledger may not forget: nothing is evicted, and every write goes to the append-only file. */
const durable = ["--appendonly", "yes", "--maxmemory-policy", "noeviction", "--save", ""];

export const redis: Recipe = {
  name: "redis",
  usualPort: redisPort,
  variable: "REDIS_URL",
  findGiven: ({ REDIS_URL }) => (REDIS_URL ? { REDIS_URL } : undefined),
  answers: ({ REDIS_URL = "" }) => answersRedis(parseUrlAddress(REDIS_URL, redisPort)),
  planDocker: (hostPort) => ({
    image: "redis:7.4.2-alpine",
    port: redisPort,
    environment: {},
    command: ["redis-server", ...durable],
    variables: { REDIS_URL: `redis://127.0.0.1:${hostPort}/0` },
  }),
  start: async ({ directory, log, print }) => {
    const program = await needProgram("redis-server", { debian: "redis-server", print });
    const port = await choosePort(redisPort);
    const where = ["--bind", "127.0.0.1", "--port", String(port), "--dir", directory];
    const process = startDetached([program, ...where, ...durable], { log, directory });
    return { variables: { REDIS_URL: `redis://127.0.0.1:${port}/0` }, process };
  },
};

const sinkPort = 1025;
const usualHttpPort = 1080;

/** A server that takes every mail and keeps it: ours, written for the tests. */
const smtpSink: Recipe = {
  name: "smtp",
  usualPort: sinkPort,
  variable: "SMTP_HOST",
  findGiven: ({ SMTP_HOST, SMTP_PORT = "587" }) =>
    SMTP_HOST ? { SMTP_HOST, SMTP_PORT } : undefined,
  answers: ({ SMTP_HOST = "", SMTP_PORT = "" }) =>
    answersSmtp(parseAddress(`${SMTP_HOST}:${SMTP_PORT}`, sinkPort)),
  start: async ({ repository, log }) => {
    const port = await choosePort(sinkPort);
    const httpPort = await choosePort(usualHttpPort);
    const ports = ["--port", String(port), "--http-port", String(httpPort)];
    const program = [process.execPath, "--no-env-file", "support/smtp-sink/main.ts"];
    const started = startDetached([...program, ...ports], { log, directory: repository });
    const variables = {
      SMTP_HOST: "127.0.0.1",
      SMTP_PORT: String(port),
      SMTP_TLS: "none",
      SMTP_SINK_URL: `http://127.0.0.1:${httpPort}`,
    };
    return { variables, process: started };
  },
};

export const recipes: Readonly<Record<ServerName, Recipe>> = {
  kafka,
  redis,
  postgres,
  smtp: smtpSink,
};

const readyWithinMs = 60_000;

interface UpOptions {
  readonly repository: string;
  readonly records: ServerRecords;
  readonly environment: Readonly<Record<string, string | undefined>>;
  print(line: string): void;
}

/**
 * Makes sure that a server answers, and says where: the one the environment points to, else the
 * one we started earlier, else a new one from Docker or from this machine's packages. Throws when
 * there is no way, with what the person can do.
 */
export async function bringUp(name: ServerName, options: UpOptions): Promise<Server> {
  const print = (line: string) => options.print(`${name}: ${line}`);
  const recipe = recipes[name];
  const earlier = options.records.find(name);
  const given = recipe.findGiven(options.environment);
  if (given !== undefined && !isSame(given, earlier)) {
    const where = Object.entries(given).map(([key, value]) => `${key}=${hidePassword(value)}`);
    if (await recipe.answers(given)) {
      print(`using ${where.join(" ")}`);
      return { name, variables: given, origin: { kind: "given" } };
    }
    print(`${where.join(" ")} does not answer; starting another one`);
  }
  if (earlier !== undefined) {
    if ((await isAlive(earlier)) && (await becomesReady(recipe, earlier, 10_000))) return earlier;
    await endServer(earlier, options.records);
  }
  return startServer(recipe, { ...options, print });
}

async function startServer(recipe: Recipe, options: UpOptions): Promise<Server> {
  const { name } = recipe;
  const directory = options.records.folder(name);
  const server =
    (await tryDocker(recipe, directory, options.print)) ??
    (await startProcess(recipe, directory, options));
  options.records.save(server); // before it answers, so that `down` finds it whatever happens
  if (await becomesReady(recipe, server, readyWithinMs)) {
    options.print("answers");
    return server;
  }
  const log = server.origin.kind === "process" ? server.origin.log : undefined;
  await endServer(server, options.records);
  throw new Error(
    `it did not answer within ${readyWithinMs / 1000} s${log === undefined ? "" : `; ${log} ends with:\n${readEnd(log)}`}`,
  );
}

async function tryDocker(
  recipe: Recipe,
  directory: string,
  print: (line: string) => void,
): Promise<Server | undefined> {
  if (recipe.planDocker === undefined || !findDocker()) return undefined;
  const port = await choosePort(recipe.usualPort);
  const plan = recipe.planDocker(port, directory);
  print(`starting ${plan.image} with Docker`);
  return startContainer(recipe.name, directory, port, plan).catch((error: Error) => {
    print(`Docker could not: ${error.message}`);
    return undefined;
  });
}

async function startProcess(
  recipe: Recipe,
  directory: string,
  { repository, print }: UpOptions,
): Promise<Server> {
  const log = join(directory, "output.log");
  writeFileSync(log, "", { mode: 0o600 });
  const started = await recipe.start({ repository, directory, log, print }).catch((error) => {
    if (error instanceof MissingError) error.message += `; or let ${recipe.variable} point to one`;
    throw error;
  });
  const origin = { kind: "process", process: started.process, log } as const;
  return { name: recipe.name, variables: started.variables, origin };
}

/** Asks until it answers; gives up early on a process that has ended. */
async function becomesReady(recipe: Recipe, server: Server, withinMs: number): Promise<boolean> {
  const givenUpAt = Date.now() + withinMs;
  while (Date.now() < givenUpAt) {
    if (await recipe.answers(server.variables)) return true;
    if (!(await isAlive(server))) return false;
    await Bun.sleep(100);
  }
  return false;
}

/** The environment points to what we started: somebody evaluated the lines of an earlier `up`. */
function isSame(given: Server["variables"], earlier: Server | undefined): boolean {
  return Object.entries(given).every(([key, value]) => earlier?.variables[key] === value);
}

function hidePassword(value: string): string {
  return value.replace(/:\/\/[^@/]*@/, "://…@");
}

function readEnd(path: string): string {
  return readFileSync(path, "utf8").trim().split("\n").slice(-15).join("\n");
}
