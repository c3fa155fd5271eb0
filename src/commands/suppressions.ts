import { closeSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { loadConfig } from "../compose/config.ts";
import { openRecipientStores, withTools } from "../compose/engines.ts";
import type { ConfigProblem, Environment } from "../core/config.ts";
import { throwProblems } from "../core/config.ts";
import { addressProblem, parseEmailAddress } from "../core/email-address.ts";
import { coreErrors, errorMessage, InstantError } from "../core/errors.ts";
import { parseGoDuration, systemClock } from "../core/time.ts";
import { recipientKey, recipientKeyShape } from "../email/event.ts";
import { parseSuppressionCsv, printSuppressionCsv } from "../email/suppressions/suppression-csv.ts";
import type {
  Suppression,
  SuppressionReason,
  SuppressionStore,
} from "../email/suppressions/suppression-store.ts";
import { entriesMax, suppressionReasons } from "../email/suppressions/suppression-store.ts";

/** As commander passes them. */
export interface SuppressionFlags {
  readonly reason?: string;
  readonly for?: string;
  readonly note?: string;
  readonly limit?: string;
  readonly address?: string;
  readonly json?: boolean;
}

interface ParsedSuppressionFlags {
  readonly reason: SuppressionReason | undefined;
  /** Undefined: without end. */
  readonly durationMs: number | undefined;
  readonly limit: number;
}

const limitDefault = 100;
const limitMax = 10_000;

/** Throws `usage_invalid` with every invalid flag and its bound. */
export function parseSuppressionFlags(flags: SuppressionFlags): ParsedSuppressionFlags {
  const problems: ConfigProblem[] = [];
  const reason = suppressionReasons.find((known) => known === flags.reason);
  if (flags.reason !== undefined && reason === undefined) {
    problems.push({ name: "--reason", problem: `must be one of ${suppressionReasons.join(", ")}` });
  }
  const durationMs = flags.for === undefined ? undefined : parseGoDuration(flags.for);
  if (flags.for !== undefined && !durationMs) {
    problems.push({ name: "--for", problem: "must be a duration such as 720h" });
  }
  const limit = flags.limit === undefined ? limitDefault : Number(flags.limit);
  if (!Number.isInteger(limit) || limit < 1 || limit > limitMax) {
    problems.push({ name: "--limit", problem: `must be a whole number from 1 to ${limitMax}` });
  }
  throwProblems(problems, coreErrors.usageInvalid);
  return { reason, durationMs, limit };
}

interface NamedRecipient {
  readonly key: string;
  /** Undefined when only the key was given. */
  readonly address: string | undefined;
}

/** Addresses, or keys as `list` prints them for forgotten addresses. */
function parseRecipients(texts: readonly string[]): NamedRecipient[] {
  const problems: ConfigProblem[] = [];
  if (texts.length > entriesMax) {
    const problem = `must be at most ${entriesMax} at once; use import for more`;
    problems.push({ name: "addresses", problem });
  }
  const recipients = texts.flatMap((text): NamedRecipient[] => {
    if (recipientKeyShape.test(text)) return [{ key: text, address: undefined }];
    const address = parseEmailAddress(text);
    if (address !== undefined) return [{ key: recipientKey(address), address }];
    problems.push({ name: JSON.stringify(text.slice(0, 80)), problem: addressProblem(text) });
    return [];
  });
  throwProblems(problems, coreErrors.usageInvalid);
  return recipients;
}

/** Runs `work` with the suppressions of the configured engine. */
function withSuppressions(
  environment: Environment,
  work: (store: SuppressionStore) => Promise<void>,
): Promise<number> {
  const config = loadConfig(environment);
  return withTools(config, async (engines) => {
    await work((await openRecipientStores(engines)).suppressions);
    return 0;
  });
}

/** Prints JSON on one line, or lines for people. */
function report(flags: { readonly json?: boolean }, json: object, lines: readonly string[]) {
  const text = flags.json === true ? JSON.stringify(json) : lines.join("\n");
  process.stdout.write(`${text}\n`);
}

/** Newest first. Addresses in full: operators compare them with what people write to them. */
export function listSuppressions(environment: Environment, flags: SuppressionFlags) {
  const { reason, limit } = parseSuppressionFlags(flags);
  const wanted = flags.address === undefined ? undefined : parseRecipients([flags.address])[0];
  return withSuppressions(environment, async (store) => {
    const found =
      wanted === undefined
        ? await store.newest({ limit, reason })
        : [...(await store.find([wanted.key])).values()];
    const total = wanted === undefined ? await store.count(reason) : found.length;
    const lines = found.map(lineOf);
    if (total === 0)
      lines.push(wanted === undefined ? "No suppressed addresses" : "Not suppressed");
    else if (total > found.length)
      lines.push(`Showing ${found.length} of ${total}; export writes all of them`);
    report(flags, { total, suppressions: found.map(jsonOf) }, lines);
  });
}

export function addSuppressions(
  environment: Environment,
  addresses: readonly string[],
  flags: SuppressionFlags,
) {
  const { reason = "manual", durationMs } = parseSuppressionFlags(flags);
  const recipients = parseRecipients(addresses);
  return withSuppressions(environment, async (store) => {
    const createdAt = systemClock.now();
    const expiresAt = durationMs === undefined ? undefined : createdAt + durationMs;
    const entries = recipients.map((recipient) => {
      return { ...recipient, reason, note: flags.note, createdAt, expiresAt };
    });
    const added = await store.add(entries);
    const unchanged = new Set(entries.map(({ key }) => key)).size - added;
    const lines = [`${added} suppressed`];
    if (unchanged > 0)
      lines.push(`${unchanged} unchanged: suppressed for at least as long already`);
    report(flags, { added, unchanged }, lines);
  });
}

/** Exits with 0 also when an address was not suppressed: the result is the same. */
export function removeSuppressions(
  environment: Environment,
  addresses: readonly string[],
  flags: SuppressionFlags,
) {
  const recipients = parseRecipients(addresses);
  return withSuppressions(environment, async (store) => {
    let removed = 0;
    for (const { key } of recipients) if (await store.remove(key)) removed += 1;
    const unknown = recipients.length - removed;
    const lines = [`${removed} removed: mail to them is sent again`];
    if (unknown > 0) lines.push(`${unknown} not suppressed`);
    report(flags, { removed, unknown }, lines);
  });
}

function lineOf({ address, key, reason, note, expiresAt }: Suppression): string {
  const until = expiresAt === undefined ? "until removed" : `until ${isoMinute(expiresAt)}`;
  return [address ?? `(forgotten) ${key}`, reason, until, note ?? ""].join("  ").trimEnd();
}

function jsonOf({ address, key, reason, note, createdAt, expiresAt }: Suppression) {
  return {
    address: address ?? null,
    key,
    reason,
    note: note ?? null,
    created_at: new Date(createdAt).toISOString(),
    expires_at: expiresAt === undefined ? null : new Date(expiresAt).toISOString(),
  };
}

function isoMinute(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16)}Z`;
}

const fileBytesMax = 64 * 1024 * 1024;

/** Adds all entries of a CSV file, or none when one line is invalid. `-` is standard input. */
export function importSuppressions(
  environment: Environment,
  file: string,
  flags: SuppressionFlags,
) {
  const parsed = parseSuppressionCsv(readText(file), systemClock.now());
  if (parsed.kind === "refused") {
    const lines = parsed.problems.map(({ line, problem }) => `\n  line ${line}: ${problem}`);
    throw new InstantError(coreErrors.usageInvalid, { detail: lines.join("") });
  }
  const { entries } = parsed;
  return withSuppressions(environment, async (store) => {
    let added = 0;
    for (let from = 0; from < entries.length; from += entriesMax) {
      added += await store.add(entries.slice(from, from + entriesMax));
    }
    const unchanged = entries.length - added;
    const lines = [`${added} of ${entries.length} addresses suppressed`];
    if (unchanged > 0) {
      lines.push(`${unchanged} unchanged: expired, or suppressed for at least as long already`);
    }
    report(flags, { rows: entries.length, added, unchanged }, lines);
  });
}

/** Writes all active entries as CSV, to a file of mode 0600 or to standard output. */
export function exportSuppressions(
  environment: Environment,
  file: string | undefined,
  flags: SuppressionFlags,
) {
  return withSuppressions(environment, async (store) => {
    const target = file === undefined ? process.stdout.fd : openTarget(file);
    let written = 0;
    try {
      for (let after = ""; ; ) {
        const page = await store.page({ after, limit: entriesMax });
        writeAll(target, printSuppressionCsv(page, { withNames: after === "" }));
        written += page.length;
        if (page.length < entriesMax) break;
        after = page.at(-1)?.key ?? "";
      }
    } finally {
      if (file !== undefined) closeSync(target);
    }
    if (file !== undefined) report(flags, { written }, [`${written} addresses written to ${file}`]);
  });
}

function readText(file: string): string {
  const source = file === "-" ? process.stdin.fd : file;
  try {
    if (file !== "-" && statSync(file).size > fileBytesMax) throw new Error("it is too large");
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(source));
  } catch (error) {
    const detail = `${file} cannot be read as UTF-8 text of at most 64 MiB: ${errorMessage(error)}`;
    throw new InstantError(coreErrors.usageInvalid, { detail, cause: error });
  }
}

function openTarget(file: string): number {
  try {
    return openSync(file, "w", 0o600);
  } catch (error) {
    const detail = `${file} cannot be written: ${errorMessage(error)}`;
    throw new InstantError(coreErrors.usageInvalid, { detail, cause: error });
  }
}

/** A write may be partial. */
function writeAll(target: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length; ) {
    written += writeSync(target, bytes, written);
  }
}
