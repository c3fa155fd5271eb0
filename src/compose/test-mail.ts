import { systemClock } from "../core/clock.ts";
import type { ConfigProblem } from "../core/config/parse.ts";
import { throwProblems } from "../core/config/parse.ts";
import { resolveHttp } from "../core/http/config.ts";
import { resolveSmtp } from "../core/smtp/config.ts";
import type { SmtpTalkLine } from "../core/smtp/options.ts";
import type { EmailEvent } from "../email/event.ts";
import type { SendOutcome } from "../email/mailer/mailer.ts";
import { openSmtpMailer } from "../email/mailer/smtp.ts";
import { createUnsubscribeLink } from "../email/preferences/unsubscribe-link.ts";
import { composeMessage, feedbackSenderOf } from "../email/submission.ts";
import type { Config } from "./config.ts";
import { composeMailTemplates } from "./mail-templates.ts";
import { emailSecret } from "./secrets.ts";

/**
 * Sends one mail by the SMTP settings, whatever EMAIL_MODE says, as serve-email would write it; no
 * ledger, no preferences. Resolves after the server was told QUIT. Throws `config_invalid`.
 */
export async function sendTestMail(
  config: Config,
  event: EmailEvent,
  onTalk: (line: SmtpTalkLine) => void,
): Promise<SendOutcome> {
  const problems: ConfigProblem[] = [];
  const submission = resolveSmtp(config.smtp, problems);
  throwProblems(problems);
  if (submission === undefined) throw new Error("SMTP settings are missing and not named");
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
  await using mailer = openSmtpMailer({ ...submission, connections: 1, onTalk });
  return await mailer.send(message, { beforeContentEnds: async () => true });
}
