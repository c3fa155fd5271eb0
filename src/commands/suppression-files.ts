import { closeSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { systemClock } from "../core/clock.ts";
import type { Environment } from "../core/config/parse.ts";
import { coreErrors } from "../core/error-codes.ts";
import { errorMessage, InstantError } from "../core/errors.ts";
import { parseSuppressionCsv, printSuppressionCsv } from "../email/suppressions/suppression-csv.ts";
import { entriesMax } from "../email/suppressions/suppression-store.ts";
import type { SuppressionFlags } from "./suppression-flags.ts";
import { report, withSuppressions } from "./suppressions.ts";

const fileBytesMax = 64 * 1024 * 1024;

/** All of a CSV file, or, when one line of it cannot be read, nothing. `-` is standard input. */
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
    const kept = entries.length - added;
    const lines = [`${added} of ${entries.length} addresses suppressed`];
    if (kept > 0) lines.push(`${kept} had ended, or were suppressed for as long already`);
    report(flags, { rows: entries.length, added, kept }, lines);
  });
}

/** All living entries as CSV: into a file of mode 0600, or to standard output. */
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

/** A write may take a part of it. */
function writeAll(target: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length; ) {
    written += writeSync(target, bytes, written);
  }
}
