/** The source of a row of `reply-table.ts`; linked in docs/sending.md. */
export type ReplySource = readonly [name: string, url: string];

export const sources = {
  google: ["Gmail errors", "https://support.google.com/a/answer/3726730"],
  exchange: [
    "Exchange Online reports",
    "https://learn.microsoft.com/en-us/troubleshoot/exchange/email-delivery/ndr/non-delivery-reports-in-exchange-online",
  ],
  submission: [
    "Microsoft 365 submission",
    "https://learn.microsoft.com/en-us/exchange/troubleshoot/send-emails/smtp-submission-improvements",
  ],
  sesQuota: [
    "SES quotas",
    "https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas-errors.html",
  ],
  sesErrors: [
    "SES errors",
    "https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html",
  ],
  sendgrid: [
    "SendGrid errors",
    "https://sendgrid.com/docs/for-developers/sending-email/smtp-errors-and-troubleshooting/",
  ],
  mailgun: [
    "Mailgun disabled domains",
    "https://help.mailgun.com/hc/en-us/articles/202051664-My-domain-has-been-disabled-Now-what",
  ],
  postmark: ["Postmark error codes", "https://postmarkapp.com/developer/api/overview"],
  yahoo: ["Yahoo errors", "https://senders.yahooinc.com/smtp-error-codes/"],
  postfix: ["Postfix postconf(5)", "https://www.postfix.org/postconf.5.html"],
  exim: [
    "Exim default configuration",
    "https://www.exim.org/exim-html-current/doc/html/spec_html/ch-the_default_configuration_file.html",
  ],
} as const satisfies Readonly<Record<string, ReplySource>>;

export const rfc = (number: number, section: string): ReplySource => [
  `RFC ${number}, ${section}`,
  `https://www.rfc-editor.org/rfc/rfc${number}`,
];

/** Pages with a list of replies that need no row. */
export const furtherSources: readonly ReplySource[] = [
  ["Google Workspace relay", "https://support.google.com/a/answer/6140680"],
  sources.postmark,
  ["Mailtrap limits", "https://help.mailtrap.io/article/100-sending-limits"],
];
