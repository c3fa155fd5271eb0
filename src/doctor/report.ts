import type { Finding } from "../core/diagnosis.ts";
import { Diagnosis } from "../core/diagnosis.ts";
import { coreErrors, errorMessage, isInstantError } from "../core/errors.ts";
import { withDeadline } from "../core/time.ts";

/** Checks one dependency, or one aspect of the settings, independently of all others. */
export interface Check {
  /** The heading of its lines: "Redis". */
  readonly group: string;
  /** Its address, for people: "localhost:6379/0". */
  readonly about?: string | undefined;
  readonly run: (diagnosis: Diagnosis) => void | Promise<void>;
}

export interface Group {
  readonly name: string;
  readonly about: string | undefined;
  readonly findings: readonly Finding[];
}

/**
 * Runs all checks at once and keeps their order; adjacent checks of one group are joined, and a
 * group without findings is left out. Resolves after `deadlineMs` at the latest: a check that is
 * late or throws becomes a fault.
 */
export async function runChecks(
  checks: readonly Check[],
  { deadlineMs }: { readonly deadlineMs: number },
): Promise<readonly Group[]> {
  const groups = await Promise.all(checks.map((check) => runCheck(check, deadlineMs)));
  const joined: Group[] = [];
  for (const { name, about, findings } of groups.filter((group) => group.findings.length > 0)) {
    const last = joined.at(-1)?.name === name ? joined.pop() : undefined;
    const all = [...(last?.findings ?? []), ...findings];
    joined.push({ name, about: last?.about ?? about, findings: all });
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
    const text = `The rest of this check got no answer from ${error.detail ?? "it"}`;
    const fix = "The server accepts connections but does not answer: see its log";
    diagnosis.fault("doctor.deadline", text, fix);
    return;
  }
  // One failing check must not hide the findings of the others.
  const fix = "This check failed with an unexpected error, shown above";
  diagnosis.fault("doctor.broken", errorMessage(error), fix);
}

export interface Report {
  readonly groups: readonly Group[];
  readonly durationMs: number;
}

interface ReportStyle {
  readonly colour: boolean;
  /** Lines are wrapped to this width. */
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

/** For people: a heading per group, a line per finding with its fix below, the counts at the end. */
export function renderReport(report: Report, style: ReportStyle): string {
  const paint = (code: string, text: string) =>
    style.colour ? `\u001b[${code}m${text}\u001b[0m` : text;
  const lines: string[] = [];
  for (const { name, about, findings } of report.groups) {
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
  const ok = counts.fault === 0;
  return `${JSON.stringify({ ok, counts, duration_ms: Math.round(durationMs), groups })}\n`;
}

/** Breaks between words only, so that a path or an address can be copied. */
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

/** Shorter ones would match inside ordinary words. */
const charsMin = 6;

/**
 * The last line of defence: checks print no secrets, but they print servers' messages, and a server
 * may repeat what it was sent.
 */
export function redactSecrets(
  groups: readonly Group[],
  secrets: readonly string[],
): readonly Group[] {
  const hidden = secrets
    .flatMap((secret) => [
      secret,
      encodeURIComponent(secret),
      Buffer.from(secret).toString("base64"),
    ])
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
