/**
 * The command behind `scripts/start --real`: servers up, topics created, then serve-auth and
 * serve-email until Ctrl-C or SIGTERM. The servers stay up; scripts/servers down ends them.
 */
import { join, resolve } from "node:path";
import { choosePort, serverNames } from "../../support/engines/server.ts";
import { ServerRecords, withLock } from "../../support/engines/state.ts";
import { bringUp } from "../../support/engines/up.ts";
import { runTogether } from "./run-together.ts";

const repository = resolve(import.meta.dir, "../..");
const instant = join(repository, "instant");
const parameters = process.argv.slice(2);
const say = (line: string) => console.error(line);

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
const sink = addresses["SMTP_SINK_URL"];
const code = await runTogether({
  directory: repository,
  environment,
  parts: ["serve-email", "serve-auth"].map((command) => ({
    name: command,
    command: [instant, command, ...parameters],
    readyUrl: `${command === "serve-auth" ? authUrl : emailUrl}/health`,
  })),
  onReady: () => {
    say("");
    say(`Sign-in API  ${authUrl}`);
    say(`E-mail       ${emailUrl}/health`);
    if (sink !== undefined) say(`Sent mails   ${sink}/messages`);
    say("Ctrl-C ends both; the servers stay up until scripts/servers down.");
    say("");
  },
});
process.exit(code);

async function bringUpAll(): Promise<Record<string, string>> {
  const records = new ServerRecords(join(repository, ".cache", "servers"));
  const options = { repository, records, environment: process.env, print: say };
  const results = await withLock(join(records.directory, "lock"), () =>
    Promise.allSettled(serverNames.map((name) => bringUp(name, options))),
  );
  const found: Record<string, string> = {};
  for (const [index, result] of results.entries()) {
    if (result.status === "fulfilled") Object.assign(found, result.value.variables);
    else say(`${serverNames[index]}: ${(result.reason as Error).message}`);
  }
  if (results.some((result) => result.status === "rejected")) process.exit(1);
  return found;
}
