import { composeMime } from "../../core/smtp/mime.ts";
import type { InboxMail } from "../mailer/kept-mails.ts";

/** Who the mails would be from. */
export interface MailSender {
  readonly address: string;
  readonly name: string | undefined;
}

/**
 * The mail as EMAIL_MODE=smtp would hand it to the server, before a DKIM signature; lines end as a
 * page wants it. `headers`: the part before the first empty line.
 */
export function mailSource(mail: InboxMail, sender: MailSender): { headers: string; all: string } {
  const { to, subject, text, html, receivedAt } = mail;
  const { "Message-ID": messageId = "", ...headers } = mail.headers;
  const date = new Date(receivedAt);
  const content = composeMime({ from: sender, to, subject, messageId, date, text, html, headers });
  const all = content.toString("utf8").replaceAll("\r\n", "\n");
  return { headers: all.slice(0, all.indexOf("\n\n")), all };
}
