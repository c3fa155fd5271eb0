import type { Config } from "../compose/config.ts";
import { loadConfig } from "../compose/config.ts";
import { sendTestMail, testServers } from "../compose/delivery.ts";
import type { Environment } from "../core/config.ts";
import { coreErrors, InstantError } from "../core/errors.ts";
import { randomToken } from "../core/secret.ts";
import type { EmailEvent } from "../email/event.ts";
import { decodeEmailEvent } from "../email/event.ts";
import { explainOutcome } from "../email/mailer/reply.ts";
import type { SmtpSubmission, SmtpTranscriptLine } from "../email/mailer/smtp/config.ts";
import { parseLocale } from "../email/mails/mail-type.ts";
import { eventTypes, sampleCode, sampleData } from "../email/mails/mail-types.tsx";
import { unsubscribePath } from "../email/preferences/preference-store.ts";

export interface SendTestOptions {
  readonly to: string;
  readonly type?: string;
  readonly locale?: string;
  /** Only this server: its number in SMTP_URLS, or its host. */
  readonly server?: string;
  readonly json?: boolean;
}

const marks = { server: "S: ", client: "C: ", note: "*  " } as const;

/**
 * Sends one mail with sample data through each SMTP server and prints the whole session, with secrets
 * masked. With --json one line per server.
 */
export async function sendTest(
  environment: Environment,
  options: SendTestOptions,
): Promise<number> {
  const config = loadConfig(environment);
  const servers = testServers(config);
  const chosen = servers.filter(({ host }, index) =>
    [undefined, String(index + 1), host].includes(options.server),
  );
  if (chosen.length === 0) {
    const hosts = servers.map(({ host }, index) => `${index + 1} (${host})`).join(", ");
    throw usage(`--server must be one of ${hosts}`);
  }
  let failed = 0;
  for (const server of chosen) {
    if (chosen.length > 1 && !options.json) {
      process.stdout.write(`\n${server.host}:${server.port}\n`);
    }
    if (!(await sendThrough(config, server, options))) failed += 1;
  }
  return failed === 0 ? 0 : 1;
}

async function sendThrough(
  config: Config,
  server: SmtpSubmission,
  options: SendTestOptions,
): Promise<boolean> {
  const event = parseEvent(options);
  const transcript: SmtpTranscriptLine[] = [];
  const outcome = await sendTestMail(config, server, event, ({ by, text }) => {
    const line = { by, text: withoutSecrets(text) };
    transcript.push(line);
    if (!options.json) process.stdout.write(`${marks[by]}${line.text}\n`);
  });
  const accepted = outcome.kind === "accepted";
  const explanation = explainOutcome(outcome);
  if (options.json) {
    const report = {
      accepted,
      explanation,
      message_id: event.messageId,
      outcome,
      transcript,
    };
    process.stdout.write(`${JSON.stringify(report)}\n`);
  } else process.stdout.write(`\n${accepted ? "✓" : "✗"} ${explanation}\n`);
  return accepted;
}

/** Sessions get pasted into tickets: they must reveal neither the code nor the unsubscribe link. */
function withoutSecrets(text: string): string {
  return text
    .replaceAll(sampleCode, "******")
    .replace(new RegExp(`(${unsubscribePath}/)[^>\\s]+`), "$1***");
}

/** Uses the decoder of real events, so that the same input is refused. */
function parseEvent({ to, type = "verification_code", locale }: SendTestOptions): EmailEvent {
  const chosen = eventTypes.find((known) => known === type);
  if (chosen === undefined) throw usage(`--type must be one of ${eventTypes.join(", ")}`);
  if (locale !== undefined && parseLocale(locale) === undefined) {
    throw usage("--locale must be a BCP 47 language tag, such as es-MX");
  }
  const now = Date.now();
  const wire = {
    message_id: `test-${randomToken(9)}`,
    event_type: chosen,
    timestamp: new Date(now).toISOString(),
    recipient: to,
    data: { ...sampleData(chosen, now), locale },
  };
  const decoded = decodeEmailEvent(Buffer.from(JSON.stringify(wire)));
  if (decoded.kind === "event") return decoded.event;
  throw usage(decoded.reason.replace(/^recipient\b/, "--to"));
}

function usage(detail: string): InstantError {
  return new InstantError(coreErrors.usageInvalid, { detail });
}
