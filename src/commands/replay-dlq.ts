import { createInterface } from "node:readline/promises";
import { loadConfig } from "../compose/config.ts";
import type { Engines } from "../compose/engines.ts";
import { withTools } from "../compose/engines.ts";
import type { ConfigProblem, Environment } from "../core/config.ts";
import { throwProblems } from "../core/config.ts";
import { addressProblem, parseEmailAddress } from "../core/email-address.ts";
import { coreErrors, exitCodes } from "../core/errors.ts";
import { parseGoDuration, systemClock } from "../core/time.ts";
import type { DeadLetter } from "../email/dead-letters/dead-letter.ts";
import { deadLetterSummary } from "../email/dead-letters/dead-letter.ts";
import type { ReplayDeps } from "../email/dead-letters/replay.ts";
import { planReplay, ReplayPlaceFile, replayDeadLetters } from "../email/dead-letters/replay.ts";
import type {
  Histogram,
  KnownReplays,
  ReplayPlace,
  ReplaySelection,
} from "../email/dead-letters/replay-plan.ts";
import { findReplays, maxReplaysDefault, replayTotal } from "../email/dead-letters/replay-plan.ts";
import type { DeadLetterClass } from "../email/delivery/outcome.ts";
import { deadLetterClasses } from "../email/delivery/outcome.ts";

/** As commander gives them. */
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
  readonly includeTooOld?: boolean;
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

/** Throws `usage_invalid`, which names every invalid flag and its bound. */
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
      recipient: parseRecipient(flags.recipient, problems),
      since: parseSince(flags.since, now, problems),
      maxReplays: whole("--max-replays", flags.maxReplays, 1) ?? maxReplaysDefault,
      includeTooOld: flags.includeTooOld ?? false,
    },
  };
  throwProblems(problems, coreErrors.usageInvalid);
  return parsed;
}

function parseRecipient(text: string | undefined, problems: ConfigProblem[]): string | undefined {
  if (text === undefined) return undefined;
  const recipient = parseEmailAddress(text);
  if (recipient === undefined) {
    problems.push({ name: "--recipient", problem: addressProblem(text) });
  }
  return recipient;
}

function parseClasses(
  text: string | undefined,
  problems: ConfigProblem[],
): ReadonlySet<DeadLetterClass> | undefined {
  if (text === undefined) return undefined;
  const names = text.split(",").map((name) => name.trim());
  const known = names.flatMap((name) => deadLetterClasses.find((other) => other === name) ?? []);
  if (known.length === names.length) return new Set(known);
  problems.push({
    name: "--class",
    problem: `must be one or more of ${deadLetterClasses.join(", ")}`,
  });
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

const nothing = "Nothing to replay";

/**
 * Reads the dead letters, prints what would be replayed, asks for confirmation, replays. With
 * `--yes` each dead letter is replayed as it is read, and the table is printed afterwards. Exits
 * with 0 also when there was nothing to replay.
 */
export async function replayDlq(environment: Environment, flags: ReplayFlags): Promise<number> {
  const config = loadConfig(environment);
  const parsed = parseReplayFlags(flags, systemClock.now());
  const { topics, app } = config;
  const placeFile = new ReplayPlaceFile(app.dataDirectory, topics.deadLetters, filterText(flags));
  return withTools(config, async (engines) => {
    const deps = {
      eventLog: await engines.eventLog(),
      ledger: await engines.ledger(),
      clock: systemClock,
      deadLetterTopic: topics.deadLetters,
      eventsTopic: topics.events,
    };
    const unfinished = flags.restart ? undefined : placeFile.load();
    const place = unfinished ?? (await newPlace(engines, deps.deadLetterTopic, parsed));
    const print = (line: string) => {
      if (!flags.json) process.stdout.write(`${line}\n`);
    };
    const { address } = deps.eventLog;
    print(`Dead letters in ${deps.deadLetterTopic} at ${address}`);
    if (unfinished !== undefined) {
      const { replayed, startedAt } = unfinished;
      print(`Continuing the replay started at ${startedAt}: ${replayed} replayed so far`);
    }
    return replay(deps, { flags, parsed, place, placeFile, print });
  });
}

interface ReplayRun {
  readonly flags: ReplayFlags;
  readonly parsed: ParsedReplayFlags;
  readonly place: ReplayPlace;
  readonly placeFile: ReplayPlaceFile;
  readonly print: (line: string) => void;
}

async function replay(deps: ReplayDeps, run: ReplayRun): Promise<number> {
  const { flags, place } = run;
  const replays = await findReplays(deps, place);
  if (flags.yes && !flags.dryRun) return move(deps, run, { replays });
  const { print, parsed, placeFile } = run;
  const { selection, limit } = parsed;
  const { histogram, first } = await planReplay(deps, { selection, place, replays, limit });
  const total = replayTotal(histogram);
  printHistogram(run, histogram);
  if (!flags.dryRun && total > 0) {
    if (!(await confirmed(total, deps.eventsTopic))) return exitCodes.usage;
    return move(deps, run, { replays, total });
  }
  if (total > 0) print(deadLetterLines(first).join("\n"));
  if (total > first.length) print(`  … and ${total - first.length} more`);
  print(total === 0 ? nothing : `Would replay ${total} (--dry-run)`);
  if (total === 0) placeFile.remove();
  const deadLetters = first.map(deadLetterJson);
  report(flags, {
    dry_run: true,
    classes: histogramJson(histogram),
    total,
    dead_letters: deadLetters,
  });
  return 0;
}

interface MoveRun {
  readonly replays: KnownReplays;
  /** Undefined without a confirmation, which is what counts them. */
  readonly total?: number;
}

async function move(deps: ReplayDeps, run: ReplayRun, { replays, total }: MoveRun) {
  const { flags, parsed, place, placeFile, print } = run;
  const { selection, limit, perSecond } = parsed;
  const abort = new AbortController();
  const onSignal = () => abort.abort();
  process.once("SIGINT", onSignal);
  process.once("SIGTERM", onSignal);
  const { place: end, histogram } = await replayDeadLetters(deps, {
    selection,
    place,
    replays,
    limit,
    perSecond,
    signal: abort.signal,
    onProgress: (newest) => {
      placeFile.save(newest);
      printProgress(newest.replayed - place.replayed, total);
    },
  });
  const complete = !abort.signal.aborted;
  if (complete) placeFile.remove();
  const moved = end.replayed - place.replayed;
  if (total === undefined) printHistogram(run, histogram);
  const amount = total === undefined ? moved : `${moved} of ${total}`;
  if (!complete) print(`Interrupted after ${amount}; run the same command again to continue`);
  else print(moved === 0 ? nothing : `✓ Replayed ${moved} dead letters`);
  report(flags, { replayed: moved, complete, classes: histogramJson(histogram) });
  return complete ? 0 : 1;
}

function printHistogram({ print }: ReplayRun, histogram: Histogram): void {
  if (histogram.size > 0) print(`\n${histogramLines(histogram).join("\n")}\n`);
}

/** From `--from-offset` (or the oldest) to the newest dead letter now, per partition. */
async function newPlace(
  engines: Engines,
  topic: string,
  { fromOffset, toOffset, partition }: ParsedReplayFlags,
): Promise<ReplayPlace> {
  const all = await (await engines.eventLog()).offsets(topic);
  const chosen = all.filter((range) => partition === undefined || range.partition === partition);
  if (chosen.length === 0) {
    const problem = `must be one of ${all.map((range) => range.partition).join(", ")}`;
    throwProblems([{ name: "--partition", problem }], coreErrors.usageInvalid);
  }
  if (fromOffset !== undefined && chosen.length > 1) {
    const problem = "is required with an offset, because the topic has several partitions";
    throwProblems([{ name: "--partition", problem }], coreErrors.usageInvalid);
  }
  return {
    startedAt: new Date().toISOString(),
    replayed: 0,
    partitions: chosen.map((range) => ({
      partition: range.partition,
      next: Math.max(fromOffset ?? 0, range.earliest),
      to: Math.min(toOffset ?? Number.MAX_SAFE_INTEGER, range.next),
    })),
  };
}

/** Identifies the filters; leaves out the flags that only concern this run. */
function filterText(flags: ReplayFlags): string {
  const {
    restart: _restart,
    dryRun: _dryRun,
    yes: _yes,
    json: _json,
    rate: _rate,
    ...filters
  } = flags;
  return JSON.stringify(Object.entries(filters).toSorted());
}

async function confirmed(total: number, topic: string): Promise<boolean> {
  if (!process.stdin.isTTY) {
    process.stderr.write(
      "instant: cannot ask for confirmation without a terminal; add --yes to replay them\n",
    );
    return false;
  }
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await lines.question(`Replay ${total} dead letters to ${topic}? [y/N] `);
  lines.close();
  return /^y(es)?$/i.test(answer.trim());
}

function printProgress(moved: number, total: number | undefined): void {
  if (!process.stderr.isTTY) return;
  const line = total === undefined ? `${moved} replayed` : `${moved} of ${total}`;
  process.stderr.write(`\r${line}${total !== undefined && moved >= total ? "\n" : ""}`);
}

function report(flags: ReplayFlags, result: object): void {
  if (flags.json) process.stdout.write(`${JSON.stringify(result)}\n`);
}

/** A table: class, dead letters, how many to replay, and why the others are skipped. */
function histogramLines(histogram: Histogram): readonly string[] {
  const rows = [...histogram]
    .toSorted(([, a], [, b]) => b.deadLetters - a.deadLetters)
    .map(([name, { deadLetters, replay, skipped }]) => {
      const reasons = [...skipped].map(([reason, count]) => `${count} ${reason}`).join(", ");
      return [name, String(deadLetters), String(replay), reasons] as const;
    });
  const table = [["class", "dead letters", "to replay", "skipped"] as const, ...rows];
  const width = (column: number) => Math.max(...table.map((row) => (row[column] ?? "").length));
  const [first, second, third] = [width(0), width(1), width(2)];
  return table.map(([name, deadLetters, replay, skipped]) =>
    `  ${name.padEnd(first)}  ${deadLetters.padStart(second)}  ${replay.padStart(third)}  ${skipped}`.trimEnd(),
  );
}

/** One line for each: position, class, mail and reason. */
function deadLetterLines(deadLetters: readonly DeadLetter[]): readonly string[] {
  return deadLetters.map((deadLetter) => {
    const { partition, offset, className, messageId, recipient, reason } =
      deadLetterSummary(deadLetter);
    const mail = [messageId, recipient].filter((part) => part !== undefined).join(" to ");
    return `  ${partition}/${offset}  ${className}  ${mail === "" ? "" : `${mail}  `}${reason}`;
  });
}

function deadLetterJson(deadLetter: DeadLetter) {
  const { className, messageId, ...summary } = deadLetterSummary(deadLetter);
  return { ...summary, class: className, message_id: messageId };
}

function histogramJson(histogram: Histogram): object {
  const rows = [...histogram].map(([name, { deadLetters, replay, skipped }]) => [
    name,
    { dead_letters: deadLetters, replay, skipped: Object.fromEntries(skipped) },
  ]);
  return Object.fromEntries(rows);
}
