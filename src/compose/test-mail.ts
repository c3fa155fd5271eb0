import { systemClock } from "../core/clock.ts";
import type { ConfigProblem } from "../core/config/parse.ts";
import { throwProblems } from "../core/config/parse.ts";
import { resolveHttp } from "../core/http/config.ts";
import type { SmtpSubmission } from "../core/smtp/config.ts";
import { resolveSmtpServers } from "../core/smtp/config.ts";
import type { SmtpTalkLine } from "../core/smtp/options.ts";
import type { EmailEvent } from "../email/event.ts";
import type { SendOutcome } from "../email/mailer/mailer.ts";
import { openSmtpMailer } from "../email/mailer/smtp.ts";
import { createUnsubscribeLink } from "../email/preferences/unsubscribe-link.ts";
import { composeMessage, feedbackSenderOf } from "../email/submission.ts";
import type { Config } from "./config.ts";
import { composeMailTemplates } from "./mail-templates.ts";
import { emailSecret } from "./secrets.ts";

/** The servers of the SMTP settings, whatever EMAIL_MODE says. Throws `config_invalid`. */
export function testServers(config: Config): readonly SmtpSubmission[] {
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
  server: SmtpSubmission,
  event: EmailEvent,
  onTalk: (line: SmtpTalkLine) => void,
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
  await using mailer = openSmtpMailer({ ...server, connections: 1, onTalk });
  return await mailer.send(message, { beforeContentEnds: async () => true });
}
