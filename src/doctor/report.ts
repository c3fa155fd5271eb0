import type { Finding } from "../core/diagnosis.ts";
import { Diagnosis } from "../core/diagnosis.ts";
import { coreErrors, errorMessage, isInstantError } from "../core/errors.ts";
import { withDeadline } from "../core/time.ts";

/** A look at one dependency or at one side of the settings; it needs nothing of the others. */
export interface Check {
  /** The heading of its lines: "Redis". */
  readonly group: string;
  /** Where that is, for people: "localhost:6379/0". */
  readonly about?: string | undefined;
  readonly run: (diagnosis: Diagnosis) => void | Promise<void>;
}

export interface Group {
  readonly name: string;
  readonly about: string | undefined;
  readonly findings: readonly Finding[];
}

/**
 * Runs all checks at the same time and keeps their order; checks of one group in a row share it.
 * Resolves after `deadlineMs` at the latest: one that is late, or breaks, has a fault that says so.
 */
export async function runChecks(
  checks: readonly Check[],
  { deadlineMs }: { readonly deadlineMs: number },
): Promise<readonly Group[]> {
  const groups = await Promise.all(checks.map((check) => runCheck(check, deadlineMs)));
  const joined: Group[] = [];
  for (const group of groups) {
    const last = joined.at(-1);
    if (last?.name !== group.name) {
      joined.push(group);
      continue;
    }
    joined.pop();
    const about = last.about ?? group.about;
    joined.push({ ...last, about, findings: [...last.findings, ...group.findings] });
  }
  return joined;
}

async function runCheck({ group, about, run }: Check, deadlineMs: number): Promise<Group> {
  const diagnosis = new Diagnosis();
  try {
    const work = Promise.try(() => run(diagnosis));
    await withDeadline(group, deadlineMs, work);
  } catch (error) {
    reportBroken(diagnosis, error);
  }
  diagnosis.close();
  return { name: group, about, findings: diagnosis.findings };
}

function reportBroken(diagnosis: Diagnosis, error: unknown): void {
  if (isInstantError(error, coreErrors.deadlineExceeded)) {
    const fix = "Whatever it is asking accepts connections and then keeps silent: look at its log";
    diagnosis.fault("doctor.deadline", `The rest of this check: no ${late(error.detail)}`, fix);
    return;
  }
  // One broken check must not hide what the others found.
  const fix = "This check met something it does not know; the words above are what was said";
  diagnosis.fault("doctor.broken", errorMessage(error), fix);
}

/** "Redis after 9000 ms" → "answer from Redis after 9000 ms" */
function late(detail: string | undefined): string {
  return `answer from ${detail ?? "it"}`;
}

export interface Report {
  readonly groups: readonly Group[];
  readonly durationMs: number;
}

interface ReportStyle {
  readonly colour: boolean;
  /** Lines are folded to so many characters. */
  readonly columns: number;
}

const marks = { ok: "✓", warning: "!", fault: "✗" } as const;
/** Terminal colours: green, yellow, red. */
const colours = { ok: "32", warning: "33", fault: "31" } as const;
const bold = "1";
const dim = "2";

export function countFindings({ groups }: Report): Readonly<Record<Finding["level"], number>> {
  const counts = { ok: 0, warning: 0, fault: 0 };
  for (const { findings } of groups) for (const { level } of findings) counts[level] += 1;
  return counts;
}

/** For people: a heading per group, a line per finding, its mend below it, the counts at the end. */
export function renderReport(report: Report, style: ReportStyle): string {
  const paint = (code: string, text: string) =>
    style.colour ? `\u001b[${code}m${text}\u001b[0m` : text;
  const lines: string[] = [];
  for (const { name, about, findings } of report.groups) {
    if (findings.length === 0) continue;
    const suffix = about === undefined ? "" : `  ${paint(dim, about)}`;
    lines.push(`${paint(bold, name)}${suffix}`);
    for (const { level, text, fix } of findings) {
      const [first = "", ...rest] = fold(text, style.columns - 4);
      lines.push(`  ${paint(colours[level], marks[level])} ${first}`);
      lines.push(...rest.map((line) => `    ${line}`));
      if (fix !== undefined) lines.push(...renderFix(fix, style.columns));
    }
    lines.push("");
  }
  const { ok, warning, fault } = countFindings(report);
  const seconds = (report.durationMs / 1000).toFixed(1);
  const sum = [
    paint(fault > 0 ? colours.fault : dim, `${marks.fault} ${fault}`),
    paint(warning > 0 ? colours.warning : dim, `${marks.warning} ${warning}`),
    paint(ok > 0 ? colours.ok : dim, `${marks.ok} ${ok}`),
  ];
  lines.push(`${sum.join("   ")}   in ${seconds} s`);
  return `${lines.join("\n")}\n`;
}

function renderFix(fix: string, columns: number): string[] {
  const [first = "", ...rest] = fold(fix, columns - 6);
  return [`    → ${first}`, ...rest.map((line) => `      ${line}`)];
}

/** One object for machines; `ok` is false when there is a fault. */
export function renderJson(report: Report): string {
  const counts = countFindings(report);
  const { groups, durationMs } = report;
  return `${JSON.stringify({
    ok: counts.fault === 0,
    counts: { ok: counts.ok, warning: counts.warning, fault: counts.fault },
    duration_ms: Math.round(durationMs),
    groups,
  })}\n`;
}

/** Breaks between words only: a path or an address stays whole, to be copied. */
function fold(text: string, charsMax: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > charsMax) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

/** Shorter ones would be found inside ordinary words. */
const charsMin = 6;

/**
 * The last net below the checks, which name no secret themselves: what a server said is printed,
 * and a server may repeat what it was told.
 */
export function redactSecrets(
  groups: readonly Group[],
  secrets: readonly string[],
): readonly Group[] {
  const hidden = secrets
    .flatMap((secret) => [secret, encodeURIComponent(secret), btoaText(secret)])
    .filter((secret) => secret.length >= charsMin)
    .toSorted((a, b) => b.length - a.length); // one may be a part of another
  const clean = (text: string) =>
    hidden.reduce((left, secret) => left.replaceAll(secret, "[secret]"), text);
  return groups.map((group) => ({
    ...group,
    about: group.about === undefined ? undefined : clean(group.about),
    findings: group.findings.map((finding) => ({
      ...finding,
      text: clean(finding.text),
      fix: finding.fix === undefined ? undefined : clean(finding.fix),
    })),
  }));
}

function btoaText(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}
