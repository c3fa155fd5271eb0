import { Command } from "commander";
import packageJson from "../package.json" with { type: "json" };
import { addExamples } from "./commands/examples.ts";
import { exitUsage } from "./commands/run-command.ts";
import type { Environment } from "./core/config.ts";

/** argv → command. What a command needs is imported when it is the one that runs. */
const program = new Command("instant")
  .description("Passwordless sign-in by e-mail code, and the e-mail service behind it.")
  .version(packageJson.version)
  .option("--env-file <file>", "read variables from a file; the environment's own win")
  .showHelpAfterError("(add --help to see what there is)")
  .exitOverride((error) => {
    process.exit(error.exitCode === 0 ? 0 : exitUsage);
  });

/** Runs a command on the process's variables and those of --env-file. */
async function run(command: (environment: Environment) => Promise<number>): Promise<void> {
  const { runCommand } = await import("./commands/run-command.ts");
  return runCommand(async () => {
    const { loadEnvironment } = await import("./commands/run-command.ts");
    return command(loadEnvironment(program.opts()["envFile"]));
  });
}

program
  .command("serve-auth")
  .description("the sign-in API, on AUTH_SERVICE_PORT (8080)")
  .action(() =>
    run(async (environment) => {
      const { serveAuth } = await import("./commands/serve-auth.ts");
      return serveAuth(environment);
    }),
  );

program
  .command("serve-email")
  .description("the e-mail worker, and its health pages on EMAIL_SERVICE_PORT (8085)")
  .action(() =>
    run(async (environment) => {
      const { serveEmail } = await import("./commands/serve-email.ts");
      return serveEmail(environment);
    }),
  );

program
  .command("dev")
  .description("both services in one process on embedded engines, with an inbox page")
  .action(() =>
    run(async (environment) => {
      const { dev } = await import("./commands/dev.ts");
      return dev(environment);
    }),
  );

program
  .command("create-topics")
  .description("create or verify the topics")
  .option("--grow", "add partitions to a topic that has fewer than KAFKA_TOPIC_PARTITIONS")
  .option("--json", "print the report as JSON")
  .action((options) =>
    run(async (environment) => {
      const { createTopics } = await import("./commands/create-topics.ts");
      return createTopics(environment, options);
    }),
  );

program
  .command("replay-dlq")
  .description("put dead letters back on the topic they came from")
  .option("--from-offset [offset]", "first dead letter to look at (default: the oldest)")
  .option("--to-offset <offset>", "look at dead letters before this offset")
  .option("--partition <number>", "look at one partition of the dead-letter topic")
  .option("--since <time>", "failed at or after this time (2026-01-31T12:00:00Z, or 2h ago: 2h)")
  .option("--class <classes>", "of these classes, separated by commas; a wrong one lists them all")
  .option("--id <message_id>", "of this message_id")
  .option("--recipient <address>", "to this address")
  .option("--limit <count>", "replay at most so many")
  .option("--rate <per_second>", "replay at most so many a second (default 1000)")
  .option("--max-replays <count>", "leave letters that were replayed this often (default 3)")
  .option("--include-too-old", "take too_old letters: they may have been sent before")
  .option("--restart", "begin anew instead of continuing an unfinished replay")
  .option("--dry-run", "only show what would be replayed, the first 20 one by one")
  .option("--yes", "do not ask; needed when no terminal is there to ask on")
  .option("--json", "print the report as JSON")
  .action((options) =>
    run(async (environment) => {
      const { replayDlq } = await import("./commands/replay-dlq.ts");
      return replayDlq(environment, options);
    }),
  );

const suppressions = program
  .command("suppressions")
  .description(
    "manage the addresses that get no mail, because mail to them bounced or was unwelcome",
  );

suppressions
  .command("list")
  .description("list the newest")
  .option("--reason <reason>", "with this reason: bounced, complained or manual")
  .option("--address <address>", "only this address")
  .option("--limit <count>", "at most this many (default 100, at most 10000)")
  .option("--json", "print the report as JSON")
  .action((options) =>
    run(async (environment) => {
      const { listSuppressions } = await import("./commands/suppressions.ts");
      return listSuppressions(environment, options);
    }),
  );

suppressions
  .command("add")
  .description("send no more mail to these addresses")
  .argument("<addresses...>")
  .option("--reason <reason>", "bounced, complained or manual (default)")
  .option("--for <duration>", "for this long, such as 720h (default: until removed)")
  .option("--note <text>", "why, shown in the list")
  .option("--json", "print the report as JSON")
  .action((addresses, options) =>
    run(async (environment) => {
      const { addSuppressions } = await import("./commands/suppressions.ts");
      return addSuppressions(environment, addresses, options);
    }),
  );

suppressions
  .command("remove")
  .description("send mail to these addresses again")
  .argument("<addresses...>")
  .option("--json", "print the report as JSON")
  .action((addresses, options) =>
    run(async (environment) => {
      const { removeSuppressions } = await import("./commands/suppressions.ts");
      return removeSuppressions(environment, addresses, options);
    }),
  );

suppressions
  .command("import")
  .description("add all addresses of a CSV file, or of standard input (-)")
  .argument("<file>")
  .option("--json", "print the report as JSON")
  .action((file, options) =>
    run(async (environment) => {
      const { importSuppressions } = await import("./commands/suppressions.ts");
      return importSuppressions(environment, file, options);
    }),
  );

suppressions
  .command("export")
  .description("write all addresses as CSV to a file, or to standard output")
  .argument("[file]")
  .option("--json", "print the report as JSON")
  .action((file, options) =>
    run(async (environment) => {
      const { exportSuppressions } = await import("./commands/suppressions.ts");
      return exportSuppressions(environment, file, options);
    }),
  );

program
  .command("trace")
  .description("the life of one mail, or the mails of a recipient")
  .argument("<message_id|recipient>")
  .option("--follow", "print each step as it comes, until the mail is settled")
  .option("--json", "print the report as JSON")
  .action((argument, options) =>
    run(async (environment) => {
      const { trace } = await import("./commands/trace.ts");
      return trace(environment, argument, options);
    }),
  );

program
  .command("preview")
  .description("preview all mails in all languages, with sample data, on a local page")
  .option("--port <port>", "to listen on (default 8090; 0: any free one)")
  .action((options) =>
    run(async (environment) => {
      const { preview } = await import("./commands/preview.ts");
      return preview(environment, options);
    }),
  );

program
  .command("send-test")
  .description("send one mail with the SMTP settings and print the whole session with the server")
  .requiredOption("--to <address>", "recipient")
  .option("--type <type>", "mail type, with sample data (default verification_code)")
  .option("--locale <language>", "language, such as es or ru-RU")
  .option("--server <server>", "only through this one of SMTP_URLS: its number or host")
  .option("--json", "print the report as JSON")
  .action((options) =>
    run(async (environment) => {
      const { sendTest } = await import("./commands/send-test.ts");
      return sendTest(environment, options);
    }),
  );

program
  .command("doctor")
  .description("check every setting and everything it leads to; say what is wrong and the mend")
  .argument("[service]", "serve-auth or serve-email; without it both")
  .option("--json", "print the report as JSON")
  .addHelpText(
    "after",
    `
Changes nothing, sends no mail. Exit code 0: all runs; 1: something is at fault (✗);
2: a service would refuse the configuration.`,
  )
  .action((service, options) =>
    run(async (environment) => {
      const { doctor } = await import("./commands/doctor.ts");
      return doctor(environment, service, options);
    }),
  );

program
  .command("healthcheck")
  .description("exit 0 when a service answers that it is healthy, else 1 (for containers)")
  .argument("[url]", "what to ask; without it the /health of serve-email, then of serve-auth")
  .action((url) =>
    run(async (environment) => {
      const { healthcheck } = await import("./commands/healthcheck.ts");
      return healthcheck(environment, url);
    }),
  );

addExamples(program);
await program.parseAsync();
