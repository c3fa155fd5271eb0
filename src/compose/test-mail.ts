import type { ConfigProblem } from "../core/config.ts";
import { throwProblems } from "../core/config.ts";
import { resolveHttp } from "../core/http/server.ts";
import { systemClock } from "../core/time.ts";
import { composeMessage, feedbackSenderOf } from "../email/delivery/submission.ts";
import type { EmailEvent } from "../email/event.ts";
import type { SendOutcome } from "../email/mailer/mailer.ts";
import type { SmtpSubmission, SmtpTranscriptLine } from "../email/mailer/smtp/config.ts";
import { resolveSmtpServers } from "../email/mailer/smtp/config.ts";
import { openSmtpMailer } from "../email/mailer/smtp/smtp.ts";
import { createUnsubscribeLink } from "../email/preferences/unsubscribe-link.ts";
import type { Config } from "./config.ts";
import { composeMailTemplates } from "./mail-templates.ts";
import { emailSecret } from "./secrets.ts";

/** The servers of the SMTP settings, whatever EMAIL_MODE says. Throws `config_invalid`. */
/** A server of SMTP_URLS that a test mail can go to. */
export type TestServer = SmtpSubmission;

/** A line of the SMTP session, as it is printed. */
export type TestMailLine = SmtpTranscriptLine;

export function testServers(config: Config): readonly TestServer[] {
  const problems: ConfigProblem[] = [];
  const servers = resolveSmtpServers(config.smtp, problems);
  throwProblems(problems);
  if (servers === undefined) throw new Error("SMTP settings are missing and not named");
  return servers;
}

/**
 * Sends one mail by `server`, as serve-email would write it; no
 * ledger, no preferences. Resolves after the server was told QUIT.
 */
export async function sendTestMail(
  config: Config,
  server: TestServer,
  event: EmailEvent,
  onTranscript: (line: TestMailLine) => void,
): Promise<SendOutcome> {
  const { publicOrigin } = resolveHttp(config.http);
  const unsubscribeLink = createUnsubscribeLink({
    secret: publicOrigin === undefined ? "" : emailSecret(config),
    clock: systemClock,
    publicOrigin: () => publicOrigin,
  });
  const { render } = composeMailTemplates(config);
  const message = composeMessage(
    {
      clock: systemClock,
      unsubscribeLink,
      render,
      feedbackSender: feedbackSenderOf(config.app.name),
    },
    event,
  );
  await using mailer = openSmtpMailer({ ...server, connections: 1, onTranscript });
  return await mailer.send(message, { beforeContentEnds: async () => true });
}
