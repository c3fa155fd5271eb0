import { furtherSources } from "../../src/email/mailer/reply-sources.ts";
import type { ReplyVerdict } from "../../src/email/mailer/reply-table.ts";
import { replyRows } from "../../src/email/mailer/reply-table.ts";

const titles: Readonly<Record<ReplyVerdict, string>> = {
  no_such_recipient: "no such recipient",
  recipient: "recipient",
  recipient_later: "recipient, later",
  message: "message",
  rate: "rate",
  later: "a later attempt",
  login: "login",
  tls: "TLS",
  mail_from: "sender",
  quota: "quota of the account",
  account: "account",
  relay: "relay denied",
  blocked: "this machine's address",
  system: "server's own trouble",
  closing: "server is closing",
};

/** The table of docs/sending.md, in the order in which the rows are tried. */
export function renderReplyTable(): string {
  const rows = replyRows.map(({ examples, verdict, source: [name, url] }) => {
    const replies = examples.slice(0, 3).map((reply) => `\`${cell(reply)}\``);
    return `| ${replies.join("<br>")} | ${titles[verdict]} | [${name}](${url}) |`;
  });
  const further = furtherSources.map(([name, url]) => `[${name}](${url})`).join(", ");
  return [
    "| A reply such as | Verdict | Source |",
    "|---|---|---|",
    ...rows,
    "",
    `Read too: ${further}.`,
  ].join("\n");
}

function cell(reply: string): string {
  return reply.replace(/\r\n\d{3}[ -]?/g, " ").replaceAll("|", "\\|");
}
