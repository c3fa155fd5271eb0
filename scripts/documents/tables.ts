/** Tables generated into hand-written pages. */
import { createAuthMeasures } from "../../src/compose/serve-auth.ts";
import { createRequestMetrics } from "../../src/core/http/metrics.ts";
import type { MetricRow } from "../../src/core/metrics.ts";
import { Metrics, openProcessMetrics } from "../../src/core/metrics.ts";
import { systemClock } from "../../src/core/time.ts";
import { createWorkerMetrics } from "../../src/email/delivery/metrics.ts";
import { createMailerMetrics } from "../../src/email/mailer/mail-servers.ts";
import { furtherSources } from "../../src/email/mailer/reply-sources.ts";
import type { ReplyVerdict } from "../../src/email/mailer/reply-table.ts";
import { replyRows } from "../../src/email/mailer/reply-table.ts";

/** The metrics of serve-auth, registered as in the running service. */
export function listAuthMetrics(): readonly MetricRow[] {
  const metrics = new Metrics();
  using _ = openProcessMetrics(metrics);
  createAuthMeasures(metrics, () => false);
  return metrics.rows;
}

/** The metrics of serve-email. */
export function listEmailMetrics(): readonly MetricRow[] {
  const metrics = new Metrics();
  using _ = openProcessMetrics(metrics);
  createRequestMetrics(metrics);
  createMailerMetrics(metrics, systemClock);
  const lag = { read: async () => ({ partitions: [], problem: undefined }) };
  createWorkerMetrics({ metrics, clock: systemClock, worker: () => undefined, lag });
  return metrics.rows;
}

/** The tables of docs/operating.md. */
export function renderMetricTables(): string {
  return [
    "### serve-email\n",
    metricTable(listEmailMetrics()),
    "\n### serve-auth\n",
    metricTable(listAuthMetrics()),
  ].join("\n");
}

function metricTable(rows: readonly MetricRow[]): string {
  const lines = rows.map(({ name, kind, labels, help }) => {
    const by = labels.length === 0 ? "–" : labels.map((label) => `\`${label}\``).join(", ");
    return `| \`${name}\` | ${kind} | ${by} | ${help} |`;
  });
  return ["| Metric | Type | Labels | Meaning |", "|---|---|---|---|", ...lines].join("\n");
}

const verdictTitles: Readonly<Record<ReplyVerdict, string>> = {
  no_such_recipient: "no such recipient",
  recipient: "recipient",
  recipient_later: "recipient, retry later",
  message: "message",
  rate: "rate",
  later: "retry later",
  login: "login",
  tls: "TLS",
  mail_from: "sender",
  quota: "quota of the account",
  account: "account",
  relay: "relay denied",
  blocked: "this machine's address",
  system: "server fault",
  closing: "server is closing",
};

/** The table of docs/sending.md, in the order in which the rows are tried. */
export function renderReplyTable(): string {
  const rows = replyRows.map(({ examples, verdict, source: [name, url] }) => {
    const replies = examples.slice(0, 3).map((reply) => `\`${replyCell(reply)}\``);
    return `| ${replies.join("<br>")} | ${verdictTitles[verdict]} | [${name}](${url}) |`;
  });
  const further = furtherSources.map(([name, url]) => `[${name}](${url})`).join(", ");
  return [
    "| A reply such as | Verdict | Source |",
    "|---|---|---|",
    ...rows,
    "",
    `Further sources: ${further}.`,
  ].join("\n");
}

function replyCell(reply: string): string {
  return reply.replace(/\r\n\d{3}[ -]?/g, " ").replaceAll("|", "\\|");
}
