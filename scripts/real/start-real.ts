/**
 * The command behind `scripts/start --real`: servers up, topics created, then serve-auth and
 * serve-email until Ctrl-C or SIGTERM. The servers stay up; scripts/servers down ends them.
 */
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { join, resolve } from "node:path";
import { choosePort, serverNames } from "../../support/engines/server.ts";
import { ServerRecords, withLock } from "../../support/engines/state.ts";
import { bringUp } from "../../support/engines/up.ts";
import { eventually } from "../../support/eventually.ts";

const readyWithinMs = 30_000;
const repository = resolve(import.meta.dir, "../..");
const instant = join(repository, "instant");
const parameters = process.argv.slice(2);
const print = (line: string) => console.error(line);

const addresses = await bringUpAll();
const ports = {
  AUTH_SERVICE_PORT: process.env["AUTH_SERVICE_PORT"] ?? String(await choosePort(8080)),
  EMAIL_SERVICE_PORT: process.env["EMAIL_SERVICE_PORT"] ?? String(await choosePort(8085)),
};
const sender = { EMAIL_MODE: "smtp", SMTP_FROM: "noreply@localhost", SMTP_FROM_NAME: "instant" };
const environment = { ...sender, ...process.env, ...addresses, ...ports } as Record<string, string>;

const topics = Bun.spawnSync([instant, "create-topics"], {
  cwd: repository,
  env: environment,
  stdout: "inherit",
  stderr: "inherit",
});
if (!topics.success) process.exit(topics.exitCode);

const authUrl = `http://localhost:${ports.AUTH_SERVICE_PORT}`;
const emailUrl = `http://localhost:${ports.EMAIL_SERVICE_PORT}`;
const services = [
  { name: "serve-email", readyUrl: `${emailUrl}/health` },
  { name: "serve-auth", readyUrl: `${authUrl}/health` },
] as const;
process.exit(await runServices());

async function bringUpAll(): Promise<Record<string, string>> {
  const records = new ServerRecords(join(repository, ".cache", "servers"));
  const options = { repository, records, environment: process.env, print: print };
  const results = await withLock(join(records.directory, "lock"), () =>
    Promise.allSettled(serverNames.map((name) => bringUp(name, options))),
  );
  const found: Record<string, string> = {};
  for (const [index, result] of results.entries()) {
    if (result.status === "fulfilled") Object.assign(found, result.value.variables);
    else print(`${serverNames[index]}: ${(result.reason as Error).message}`);
  }
  if (results.some((result) => result.status === "rejected")) process.exit(1);
  return found;
}

/**
 * The services live and end together: one that exits takes the other with it, SIGINT and SIGTERM end
 * both. Each has a process group of its own, so Ctrl-C on a terminal reaches it only as the SIGTERM
 * from here, which lets it drain; a second one ends it at once. Resolves with the exit code: 0 when
 * both exited with 0.
 */
async function runServices(): Promise<number> {
  const children = services.map(({ name }) =>
    spawn(instant, [name, ...parameters], {
      cwd: repository,
      env: environment,
      detached: true,
      stdio: ["ignore", "inherit", "inherit"],
    }),
  );
  let isEnding = false;
  const endAll = () => {
    isEnding = true;
    for (const child of children) child.kill("SIGTERM");
  };
  process.on("SIGINT", endAll);
  process.on("SIGTERM", endAll);
  const ended = children.map((child, index) => untilEnded(child, services[index]?.name ?? ""));
  void Promise.race(ended).then(() => isEnding || endAll());
  const ready = services.map(({ name, readyUrl }) =>
    eventually(`${name} is ready`, async () => isEnding || isOk(readyUrl), readyWithinMs),
  );
  Promise.all(ready).then(
    () => isEnding || printAddresses(),
    (error: Error) => {
      print(error.message);
      endAll();
    },
  );
  const codes = await Promise.all(ended);
  return codes.every((code) => code === 0) ? 0 : 1;
}

function untilEnded(child: ChildProcess, name: string): Promise<number> {
  return new Promise((resolve) => {
    child.once("error", (error) => {
      print(`${name} failed to start: ${error.message}`);
      resolve(1);
    });
    child.once("exit", (code, signal) => {
      if (code !== 0) print(`${name} ended with ${signal ?? `exit code ${code}`}`);
      resolve(code ?? 1);
    });
  });
}

async function isOk(url: string): Promise<boolean> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
  return answer?.ok === true;
}

function printAddresses(): void {
  const sink = addresses["SMTP_SINK_URL"];
  print("");
  print(`Sign-in API  ${authUrl}`);
  print(`E-mail       ${emailUrl}/health`);
  if (sink !== undefined) print(`Mails        ${sink}/messages`);
  print("Ctrl-C stops both services; the servers keep running until scripts/servers down.");
  print("");
}
