import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Recorded } from "../benchmarks/page.ts";
import { formatNumber } from "../benchmarks/table.ts";
import { replaceMarked } from "../documents/marked.ts";
import type { Demand, MailCost } from "./demand.ts";
import { assumed, computeDemand } from "./demand.ts";
import { eventBytes } from "./event-bytes.ts";
import { documentedLimits } from "./limits.ts";

const volumes = [1_000_000, 100_000_000] as const;

/** What stands between the marks of docs/scaling.md, from the numbers in docs/benchmarks.json. */
export function renderScaling(recorded: Recorded): string {
  const cost = costOf(recorded);
  const demands = volumes.map((mails) => computeDemand(mails, cost));
  return [
    renderCost(cost),
    renderDemands(demands),
    ...demands.map(renderBottlenecks),
    renderLimits(),
  ].join("\n\n");
}

export function writeScaling(repository: string, recorded: Recorded): void {
  const path = join(repository, "docs/scaling.md");
  const page = readFileSync(path, "utf8");
  writeFileSync(path, replaceMarked(page, "scaling", renderScaling(recorded)));
}

/** Throws when a row that it needs was never measured. */
function costOf(recorded: Recorded): MailCost {
  const find = (name: string) => {
    const row = recorded.full.find((result) => result.name === name);
    if (row === undefined) throw new Error(`scripts/bench --only ${name} --write measures it`);
    return row.measured;
  };
  const cpuMicros = find("drain-smtp").cpuMicros?.ours;
  if (cpuMicros === undefined) throw new Error("drain-smtp has no CPU time");
  return {
    cpuMicros,
    redisBytes: find("ledger-memory").ours,
    redisCalls: find("ledger-calls").ours,
    eventBytes: eventBytes(),
  };
}

function renderCost(cost: MailCost): string {
  return `What one mail costs, measured by \`scripts/bench\`:

| of | for a mail |
|---|---:|
| CPU time of serve-email, over SMTP | ${formatNumber(cost.cpuMicros)} µs |
| Redis memory, for 24 hours | ${formatNumber(cost.redisBytes)} bytes |
| steps of a script in Redis | ${formatNumber(cost.redisCalls)} |
| the event on the log, a code | ${formatNumber(cost.eventBytes)} bytes |`;
}

function renderDemands(demands: readonly Demand[]): string {
  const row = (words: string, show: (demand: Demand) => string) =>
    `| ${words} | ${demands.map(show).join(" | ")} |`;
  return [
    `What is needed, when the busiest second has ${assumed.peakFactor} times the mails of the average one, an SMTP
connection needs ${assumed.secondsPerMail} s for a mail, and nothing is planned to be more than ${percent(assumed.busyMax)} busy:`,
    "",
    `| | ${demands.map(({ mailsPerDay }) => `${millions(mailsPerDay)} a day`).join(" | ")} |`,
    `|---|${demands.map(() => "---:|").join("")}`,
    row("mails a second, average", (demand) => formatNumber(demand.averagePerSecond)),
    row("mails a second, busiest", (demand) => formatNumber(demand.peakPerSecond)),
    row("cores that serve-email uses then", (demand) => formatNumber(demand.cores)),
    row("SMTP connections", (demand) => formatNumber(demand.connections)),
    row("serve-email processes", (demand) => formatNumber(demand.replicas)),
    row("`SMTP_CONNECTIONS` of each", (demand) => formatNumber(demand.connectionsPerReplica)),
    row("`KAFKA_TOPIC_PARTITIONS`", (demand) => formatNumber(demand.partitions)),
    row("to Kafka, busiest", (demand) => `${bytes(demand.kafkaBytesPerSecond)}/s`),
    row(`Kafka's disks, ${assumed.kafkaDays} days on ${assumed.kafkaReplicas} replicas`, (demand) =>
      bytes(demand.kafkaBytes),
    ),
    row("Redis memory", (demand) => bytes(demand.redisBytes)),
    row("steps in Redis a second, busiest", (demand) => formatNumber(demand.redisCallsPerSecond)),
    row("Redis shards", (demand) => formatNumber(demand.redisShards)),
  ].join("\n");
}

function renderBottlenecks({ mailsPerDay, shares }: Demand): string {
  const [first, second] = shares;
  const rows = shares.map(({ of, share, mend }) => `| ${of} | ${percent(share)} | ${mend} |`);
  return `At ${millions(mailsPerDay)} mails a day the first bottleneck is **${first?.of}**; with more of that,
**${second?.of}**. In the order in which they are spent:

| one of these | is used to | more of it |
|---|---:|---|
${rows.join("\n")}`;
}

function renderLimits(): string {
  const rows = documentedLimits.map(({ what, says, source }) => {
    return `| ${what} | ${says} | [source](${source}) |`;
  });
  return `What others document of themselves:

| of | limit | where |
|---|---|---|
${rows.join("\n")}`;
}

function millions(mails: number): string {
  return `${mails / 1e6} million`;
}

/** Two figures: 0.0123 → 1.2 %, 11.6 → 1,200 %. */
function percent(share: number): string {
  return `${Number((share * 100).toPrecision(2)).toLocaleString("en", { maximumFractionDigits: 6 })} %`;
}

/** 1,040,000,000 → 1.04 GB. */
function bytes(count: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(count, 1)) / 3));
  return `${formatNumber(count / 1000 ** step)} ${units[step]}`;
}
