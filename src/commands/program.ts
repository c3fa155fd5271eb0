import { Command } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import type { Environment } from "../core/config.ts";
import { exitCodes } from "../core/errors.ts";
import { examples } from "./examples.ts";

/** The same on every terminal, so that help can be rendered while the program is built. */
const helpColumns = 100;

/** argv → command. A command's modules are imported only when it runs, to start fast. */
export const program = new Command("instant")
  .description("Passwordless sign-in by e-mail code, and the e-mail service behind it.")
  .version(packageJson.version)
  .option("--env-file <file>", "read variables from a file; the environment takes precedence")
  .configureOutput({ getOutHelpWidth: () => helpColumns, getErrHelpWidth: () => helpColumns })
  .showHelpAfterError("(add --help for usage)")
  .exitOverride((error) => {
    process.exit(error.exitCode === 0 ? 0 : exitCodes.usage);
  });

/** Resolves with the exit code. `parsed`: the arguments and options that commander read. */
type Run = (environment: Environment, ...parsed: never[]) => Promise<number>;

function run(load: () => Promise<Run>) {
  return async (...parsed: unknown[]): Promise<void> => {
    const { loadEnvironment, runCommand } = await import("./run-command.ts");
    await runCommand(async () => {
      const environment = loadEnvironment(program.opts()["envFile"]);
      const command = await load();
      return command(environment, ...(parsed as never[]));
    });
  };
}

program
  .command("serve-auth")
  .description("run the sign-in API on AUTH_SERVICE_PORT (8080)")
  .action(run(async () => (await import("./serve.ts")).serveAuth));

program
  .command("serve-email")
  .description("run the e-mail worker, with its operations pages on EMAIL_SERVICE_PORT (8085)")
  .action(run(async () => (await import("./serve.ts")).serveEmail));

program
  .command("dev")
  .description("run both services in one process on embedded engines, with an inbox page")
  .action(run(async () => (await import("./dev.ts")).dev));

program
  .command("create-topics")
  .description("create the topics, or verify the existing ones")
  .option("--grow", "add partitions to a topic that has fewer than KAFKA_TOPIC_PARTITIONS")
  .option("--json", "print the report as JSON")
  .action(run(async () => (await import("./create-topics.ts")).createTopics));

program
  .command("replay-dlq")
  .description("replay dead letters: publish them again to the topic they came from")
  .option("--from-offset [offset]", "start at this offset (default: the oldest)")
  .option("--to-offset <offset>", "stop before this offset")
  .option("--partition <number>", "only this partition of the dead-letter topic")
  .option(
    "--since <time>",
    "only failures since a time: 2026-01-31T12:00:00Z, or 2h for two hours ago",
  )
  .option(
    "--class <classes>",
    "only these classes, comma-separated (an unknown class prints the list)",
  )
  .option("--id <message_id>", "only this message_id")
  .option("--recipient <address>", "only mails to this address")
  .option("--limit <count>", "replay at most this many")
  .option("--rate <per_second>", "replay at most this many a second (default 1000)")
  .option("--max-replays <count>", "skip those already replayed this many times (default 3)")
  .option("--include-too-old", "include class too_old, whose mails may have been sent before")
  .option("--restart", "start over instead of continuing an unfinished replay")
  .option("--dry-run", "only print what would be replayed, the first 20 one by one")
  .option("--yes", "do not ask for confirmation; required without a terminal")
  .option("--json", "print the report as JSON")
  .action(run(async () => (await import("./replay-dlq.ts")).replayDlq));

const suppressions = program
  .command("suppressions")
  .description("manage the suppression list: addresses that get no mail");

suppressions
  .command("list")
  .description("list the newest suppressions")
  .option("--reason <reason>", "only this reason: bounced, complained or manual")
  .option("--address <address>", "only this address")
  .option("--limit <count>", "list at most this many (default 100, at most 10000)")
  .option("--json", "print the report as JSON")
  .action(run(async () => (await import("./suppressions.ts")).listSuppressions));

suppressions
  .command("add")
  .description("stop sending mail to these addresses")
  .argument("<addresses...>")
  .option("--reason <reason>", "bounced, complained or manual (default: manual)")
  .option("--for <duration>", "for how long, such as 720h (default: until removed)")
  .option("--note <text>", "the reason, printed by list")
  .option("--json", "print the report as JSON")
  .action(run(async () => (await import("./suppressions.ts")).addSuppressions));

suppressions
  .command("remove")
  .description("send mail to these addresses again")
  .argument("<addresses...>")
  .option("--json", "print the report as JSON")
  .action(run(async () => (await import("./suppressions.ts")).removeSuppressions));

suppressions
  .command("import")
  .description("add every address in a CSV file, or on standard input (-)")
  .argument("<file>")
  .option("--json", "print the report as JSON")
  .action(run(async () => (await import("./suppressions.ts")).importSuppressions));

suppressions
  .command("export")
  .description("write all addresses as CSV to a file or to standard output")
  .argument("[file]")
  .option("--json", "print the report as JSON")
  .action(run(async () => (await import("./suppressions.ts")).exportSuppressions));

program
  .command("unlock")
  .description("accept codes again for an address that is locked after wrong ones")
  .argument("<address>")
  .option("--json", "print the report as JSON")
  .action(run(async () => (await import("./unlock.ts")).unlock));

program
  .command("trace")
  .description("print the timeline of one mail, or the mails of a recipient")
  .argument("<message_id|recipient>")
  .option("--follow", "print each step as it happens, until the mail is settled")
  .option("--json", "print the report as JSON")
  .action(run(async () => (await import("./trace.ts")).trace));

program
  .command("preview")
  .description("preview all mails in all languages, with sample data, on a local page")
  .option("--port <port>", "listen on this port (default 8090; 0: any free one)")
  .action(run(async () => (await import("./preview.ts")).preview));

program
  .command("send-test")
  .description("send one mail with the SMTP settings and print the whole session with the server")
  .requiredOption("--to <address>", "the recipient")
  .option("--type <type>", "the mail type, with sample data (default verification_code)")
  .option("--locale <language>", "the language, such as es or ru-RU")
  .option("--server <server>", "use only this server of SMTP_URLS, by number or host")
  .option("--json", "print the report as JSON")
  .action(run(async () => (await import("./send-test.ts")).sendTest));

program
  .command("doctor")
  .description(
    "check every setting and the servers it points to, and print how to fix each problem",
  )
  .argument("[service]", "serve-auth or serve-email (default: both)")
  .option("--json", "print the report as JSON")
  .addHelpText(
    "after",
    `
Changes nothing and sends no mail. Exit codes: 0 no faults; 1 a fault (✗);
2 a service would refuse to start with this configuration.`,
  )
  .action(run(async () => (await import("./doctor.ts")).doctor));

program
  .command("healthcheck")
  .description("exit 0 when a service reports that it is healthy, else 1 (for containers)")
  .argument("[url]", "the URL to check (default: /health of serve-email, then of serve-auth)")
  .action(run(async () => (await import("./serve.ts")).healthcheck));

/** Adds the examples to the help of each command. */
function addExamples(command: Command, parent = ""): void {
  const name = `${parent}${command.name()}`;
  const lines = (examples[name] ?? []).map((example) => `  $ ${example}\n`);
  if (lines.length > 0) command.addHelpText("after", `\nExamples:\n${lines.join("")}`);
  for (const child of command.commands) addExamples(child, `${name} `);
}

addExamples(program);
