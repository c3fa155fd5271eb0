import type { ConfigProblem } from "../core/config/parse.ts";
import { throwProblems } from "../core/config/parse.ts";
import { coreErrors } from "../core/error-codes.ts";
import { parseGoDuration } from "../core/go-duration.ts";
import type { ReplaySelection } from "../email/dead-letters/selection.ts";
import { maxReplaysDefault } from "../email/dead-letters/selection.ts";
import type { DeadLetterClass } from "../email/outcome.ts";
import { deadLetterClasses } from "../email/outcome.ts";

/** The flags as commander gives them. */
export interface ReplayFlags {
  readonly fromOffset?: string | true;
  readonly toOffset?: string;
  readonly partition?: string;
  readonly since?: string;
  readonly class?: string;
  readonly id?: string;
  readonly recipient?: string;
  readonly limit?: string;
  readonly rate?: string;
  readonly maxReplays?: string;
  readonly includeForgotten?: boolean;
  readonly restart?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

export interface ParsedReplayFlags {
  readonly selection: ReplaySelection;
  /** Undefined: the oldest. */
  readonly fromOffset: number | undefined;
  readonly toOffset: number | undefined;
  readonly partition: number | undefined;
  readonly limit: number;
  readonly perSecond: number;
}

const countMax = 1_000_000_000;

/** Throws `usage_invalid` that names every flag that cannot be read, and its bound. */
export function parseReplayFlags(flags: ReplayFlags, now: number): ParsedReplayFlags {
  const problems: ConfigProblem[] = [];
  const whole = (name: string, text: string | undefined, min: number): number | undefined => {
    if (text === undefined) return undefined;
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min) return value;
    problems.push({ name, problem: `must be a whole number from ${min}; for example ${name} 10` });
    return undefined;
  };
  const from = flags.fromOffset === true ? undefined : flags.fromOffset;
  const parsed: ParsedReplayFlags = {
    fromOffset: whole("--from-offset", from, 0),
    toOffset: whole("--to-offset", flags.toOffset, 0),
    partition: whole("--partition", flags.partition, 0),
    limit: whole("--limit", flags.limit, 1) ?? countMax,
    perSecond: whole("--rate", flags.rate, 1) ?? 1000,
    selection: {
      classes: parseClasses(flags.class, problems),
      messageId: flags.id,
      recipient: flags.recipient?.trim().toLowerCase(),
      since: parseSince(flags.since, now, problems),
      maxReplays: whole("--max-replays", flags.maxReplays, 1) ?? maxReplaysDefault,
      includeForgotten: flags.includeForgotten ?? false,
    },
  };
  throwProblems(problems, coreErrors.usageInvalid);
  return parsed;
}

function parseClasses(
  text: string | undefined,
  problems: ConfigProblem[],
): ReadonlySet<DeadLetterClass> | undefined {
  if (text === undefined) return undefined;
  const names = text.split(",").map((name) => name.trim());
  const known = names.flatMap((name) => deadLetterClasses.find((other) => other === name) ?? []);
  if (known.length === names.length) return new Set(known);
  problems.push({ name: "--class", problem: `must be of ${deadLetterClasses.join(", ")}` });
  return undefined;
}

function parseSince(
  text: string | undefined,
  now: number,
  problems: ConfigProblem[],
): number | undefined {
  if (text === undefined) return undefined;
  const ago = parseGoDuration(text);
  if (ago !== undefined) return now - ago;
  const at = /^\d{4}-/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isFinite(at)) return at;
  problems.push({
    name: "--since",
    problem: "must be a time such as 2026-01-31T12:00:00Z, or how long ago, such as 2h",
  });
  return undefined;
}
