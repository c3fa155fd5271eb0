/** The pages where the rows of `reply-table.ts` were read; docs/sending.md links to them. */
export type ReplySource = readonly [name: string, url: string];

export const google: ReplySource = ["Gmail errors", "https://support.google.com/a/answer/3726730"];
const googleRelay: ReplySource = [
  "Google Workspace relay",
  "https://support.google.com/a/answer/6140680",
];
export const exchange: ReplySource = [
  "Exchange Online reports",
  "https://learn.microsoft.com/en-us/troubleshoot/exchange/email-delivery/ndr/non-delivery-reports-in-exchange-online",
];
export const submission: ReplySource = [
  "Microsoft 365 submission",
  "https://learn.microsoft.com/en-us/exchange/troubleshoot/send-emails/smtp-submission-improvements",
];
export const sesQuota: ReplySource = [
  "SES quotas",
  "https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas-errors.html",
];
export const sesErrors: ReplySource = [
  "SES errors",
  "https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html",
];
export const sendgrid: ReplySource = [
  "SendGrid errors",
  "https://sendgrid.com/docs/for-developers/sending-email/smtp-errors-and-troubleshooting/",
];
export const mailgun: ReplySource = [
  "Mailgun disabled domains",
  "https://help.mailgun.com/hc/en-us/articles/202051664-My-domain-has-been-disabled-Now-what",
];
export const postmark: ReplySource = [
  "Postmark error codes",
  "https://postmarkapp.com/developer/api/overview",
];
const mailtrap: ReplySource = [
  "Mailtrap limits",
  "https://help.mailtrap.io/article/100-sending-limits",
];
export const yahoo: ReplySource = [
  "Yahoo errors",
  "https://senders.yahooinc.com/smtp-error-codes/",
];
export const postfix: ReplySource = [
  "Postfix postconf(5)",
  "https://www.postfix.org/postconf.5.html",
];
export const exim: ReplySource = [
  "Exim default configuration",
  "https://www.exim.org/exim-html-current/doc/html/spec_html/ch-the_default_configuration_file.html",
];
export const rfc = (number: number, section: string): ReplySource => [
  `RFC ${number}, ${section}`,
  `https://www.rfc-editor.org/rfc/rfc${number}`,
];

/** Pages that have a list of replies and no row of their own above. */
export const furtherSources: readonly ReplySource[] = [googleRelay, postmark, mailtrap];
