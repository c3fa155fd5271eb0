import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findDocker, startContainer } from "./docker.ts";
import { endServer, isAlive } from "./down.ts";
import { MissingError } from "./packages.ts";
import { choosePort } from "./ports.ts";
import { recipes } from "./recipes.ts";
import type { Recipe, Server, ServerName } from "./server.ts";
import type { ServerRecords } from "./state.ts";

const readyWithinMs = 60_000;

export interface UpOptions {
  readonly repository: string;
  readonly records: ServerRecords;
  readonly environment: Readonly<Record<string, string | undefined>>;
  say(line: string): void;
}

/**
 * Makes sure that a server answers, and says where: the one the environment points to, else the
 * one we started earlier, else a new one from Docker or from this machine's packages. Throws when
 * there is no way, with what the person can do.
 */
export async function bringUp(name: ServerName, options: UpOptions): Promise<Server> {
  const say = (line: string) => options.say(`${name}: ${line}`);
  const recipe = recipes[name];
  const earlier = options.records.find(name);
  const given = recipe.findGiven(options.environment);
  if (given !== undefined && !isSame(given, earlier)) {
    const where = Object.entries(given).map(([key, value]) => `${key}=${hidePassword(value)}`);
    if (await recipe.answers(given)) {
      say(`using ${where.join(" ")}`);
      return { name, variables: given, origin: { kind: "given" } };
    }
    say(`${where.join(" ")} does not answer; one of our own serves instead`);
  }
  if (earlier !== undefined) {
    if ((await isAlive(earlier)) && (await becomesReady(recipe, earlier, 10_000))) return earlier;
    await endServer(earlier, options.records);
  }
  return startServer(recipe, { ...options, say });
}

async function startServer(recipe: Recipe, options: UpOptions): Promise<Server> {
  const { name } = recipe;
  const directory = options.records.folder(name);
  const server =
    (await tryDocker(recipe, directory, options.say)) ??
    (await startProcess(recipe, directory, options));
  options.records.save(server); // before it answers, so that `down` finds it whatever happens
  if (await becomesReady(recipe, server, readyWithinMs)) {
    options.say("answers");
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
  say: (line: string) => void,
): Promise<Server | undefined> {
  if (recipe.planDocker === undefined || !findDocker()) return undefined;
  const port = await choosePort(recipe.usualPort);
  const plan = recipe.planDocker(port, directory);
  say(`starting ${plan.image} with Docker`);
  return startContainer(recipe.name, directory, port, plan).catch((error: Error) => {
    say(`Docker could not: ${error.message}`);
    return undefined;
  });
}

async function startProcess(
  recipe: Recipe,
  directory: string,
  { repository, say }: UpOptions,
): Promise<Server> {
  const log = join(directory, "output.log");
  writeFileSync(log, "", { mode: 0o600 });
  const started = await recipe.start({ repository, directory, log, say }).catch((error) => {
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
