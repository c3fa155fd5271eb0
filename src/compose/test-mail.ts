import type { ConfigProblem } from "../core/config.ts";
import { throwProblems } from "../core/config.ts";
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
import { emailSecrets } from "./secrets.ts";

/** The servers of the SMTP settings, regardless of EMAIL_MODE. Throws `config_invalid`. */
export function testServers(config: Config): readonly SmtpSubmission[] {
  const problems: ConfigProblem[] = [];
  const servers = resolveSmtpServers(config.smtp, problems);
  throwProblems(problems);
  if (servers === undefined) throw new Error("SMTP settings are missing and not named");
  return servers;
}

/**
 * Sends one mail through `server`, composed as serve-email would, but without ledger and preferences.
 * Resolves after QUIT.
 */
export async function sendTestMail(
  config: Config,
  server: SmtpSubmission,
  event: EmailEvent,
  onTranscript: (line: SmtpTranscriptLine) => void,
): Promise<SendOutcome> {
  const { publicOrigin } = config.http.boundary;
  const unsubscribeLink = createUnsubscribeLink({
    secret: publicOrigin === undefined ? "" : emailSecrets(config).current,
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
