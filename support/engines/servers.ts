/**
 * The command behind scripts/servers. Addresses go to stdout as NAME=value lines, everything else
 * to stderr. `--env` prints lines to evaluate; `--wipe` also deletes what an ended server kept.
 */
import { join, resolve } from "node:path";
import type { Server, ServerName } from "./server.ts";
import { serverNames } from "./server.ts";
import { ServerRecords, withLock } from "./state.ts";
import { bringUp, endServer, isAlive, recipes, wipeServer } from "./up.ts";

const usage = `usage: scripts/servers up [--env] | down [--wipe] | status   [kafka] [redis] [postgres] [smtp]
No name means all four. Used instead of a new one when they answer: the servers that KAFKA_BROKERS,
REDIS_URL, DATABASE_URL and SMTP_HOST with SMTP_PORT point to.`;

const [action, ...parameters] = process.argv.slice(2);
const names = serverNames.filter((name) => parameters.includes(name));
const chosen = names.length === 0 ? serverNames : names;
const flags = parameters.filter((parameter) => parameter.startsWith("--"));
const allowed: Record<string, readonly string[]> = { up: ["--env"], down: ["--wipe"], status: [] };
const known = new Set<string>([...serverNames, ...(allowed[action ?? ""] ?? [])]);
if (!Object.hasOwn(allowed, action ?? "") || !parameters.every((p) => known.has(p))) {
  console.error(usage);
  process.exit(2);
}

const repository = resolve(import.meta.dir, "../..");
const records = new ServerRecords(join(repository, ".cache", "servers"));
const print = (line: string) => console.error(line);
const commands = { up, down, status } as const;
const ok =
  action === "status"
    ? await status(chosen)
    : await withLock(join(records.directory, "lock"), () =>
        commands[action as "up" | "down"](chosen),
      );
process.exit(ok ? 0 : 1);

async function up(wanted: readonly ServerName[]): Promise<boolean> {
  const options = { repository, records, environment: process.env, print };
  const results = await Promise.allSettled(wanted.map((name) => bringUp(name, options)));
  for (const [index, result] of results.entries()) {
    if (result.status === "fulfilled") printVariables(result.value);
    else print(`${wanted[index]}: ${(result.reason as Error).message}`);
  }
  return results.every((result) => result.status === "fulfilled");
}

function printVariables({ variables }: Server): void {
  for (const [name, value] of Object.entries(variables)) {
    const quoted = `'${value.replaceAll("'", `'\\''`)}'`;
    console.log(flags.includes("--env") ? `export ${name}=${quoted}` : `${name}=${value}`);
  }
}

async function down(wanted: readonly ServerName[]): Promise<boolean> {
  for (const name of wanted) {
    const server = records.find(name);
    if (server !== undefined) {
      await endServer(server, records);
      print(`${name}: ended`);
    }
    if (flags.includes("--wipe")) wipeServer(name, records);
  }
  return true;
}

async function status(wanted: readonly ServerName[]): Promise<boolean> {
  let allAnswer = true;
  for (const name of wanted) {
    const server = records.find(name) ?? findGiven(name);
    const answers = server !== undefined && (await recipes[name].answers(server.variables));
    allAnswer &&= answers;
    const state = answers ? "answers" : await describeSilence(server);
    console.log(
      `${name.padEnd(9)} ${state.padEnd(12)} ${server === undefined ? "" : describe(server)}`,
    );
  }
  return allAnswer;
}

function findGiven(name: ServerName): Server | undefined {
  const variables = recipes[name].findGiven(process.env);
  return variables === undefined ? undefined : { name, variables, origin: { kind: "given" } };
}

async function describeSilence(server: Server | undefined): Promise<string> {
  if (server === undefined) return "not started";
  return (await isAlive(server)) ? "no answer" : "ended";
}

function describe({ origin, variables }: Server): string {
  const how =
    origin.kind === "process"
      ? `process ${origin.process.pid}`
      : origin.kind === "docker"
        ? `container ${origin.container}`
        : "given";
  const where = Object.entries(variables).map(([key, value]) => `${key}=${value}`);
  return [how, ...where].join(" ").replace(/:\/\/[^@/]*@/g, "://…@");
}
