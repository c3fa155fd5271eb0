import { parse } from "csv-parse/sync";
import { stringify } from "csv-stringify/sync";
import { z } from "zod";
import { addressProblem, parseEmailAddress } from "../../core/email-address.ts";
import { recipientKey, recipientKeyShape } from "../event.ts";
import type { Suppression } from "./suppression-store.ts";
import { suppressionReasons } from "./suppression-store.ts";

/**
 * Suppressions as CSV (RFC 4180): what `export` writes, `import` reads, and so do spreadsheets. Only
 * `address` is required (or `key`, for a forgotten address), so that other providers' lists can be
 * imported. A file without a header is a plain list of addresses.
 */
const columns = ["address", "reason", "note", "created_at", "expires_at", "key"] as const;

/** Enough for the longest note with every character escaped. */
const lineCharsMax = 4_000;
const problemsMax = 20;

interface CsvProblem {
  readonly line: number;
  readonly problem: string;
}

type ParsedCsv =
  | { readonly kind: "entries"; readonly entries: readonly Suppression[] }
  /** At most the first 20. */
  | { readonly kind: "refused"; readonly problems: readonly CsvProblem[] };

/** Starts with the header when `withNames`. Formulas are escaped, so that no spreadsheet runs them. */
export function printSuppressionCsv(
  entries: readonly Suppression[],
  { withNames }: { readonly withNames: boolean },
): string {
  const rows = entries.map((entry) => ({
    address: entry.address ?? "",
    reason: entry.reason,
    note: entry.note ?? "",
    created_at: new Date(entry.createdAt).toISOString(),
    expires_at: entry.expiresAt === undefined ? "" : new Date(entry.expiresAt).toISOString(),
    key: entry.key,
  }));
  return stringify(rows, { columns: [...columns], header: withNames, escape_formulas: true });
}

/** All entries, or the problems: a file with an invalid line is refused as a whole. */
export function parseSuppressionCsv(text: string, now: number): ParsedCsv {
  const isBareList = /^[^\n]*@/.test(text);
  let rows: readonly CsvRow[];
  try {
    rows = parse(isBareList ? `address\n${text}` : text, {
      bom: true,
      columns: (names: string[]) => names.map((name) => name.trim().toLowerCase()),
      skip_empty_lines: true,
      trim: true,
      info: true,
      max_record_size: lineCharsMax,
    }) as unknown as readonly CsvRow[];
  } catch (error) {
    return { kind: "refused", problems: [describeCsvError(error)] };
  }
  const problems: CsvProblem[] = [];
  const entries: Suppression[] = [];
  for (const { record, info } of rows) {
    const row = rowSchema.safeParse(record);
    if (row.success) entries.push(entryOf(row.data, now));
    else if (problems.length < problemsMax) {
      const [issue] = row.error.issues;
      const where = issue?.path.join(".") || "the line";
      problems.push({
        line: info.lines - (isBareList ? 1 : 0),
        problem: `${where} ${issue?.message ?? "is not valid"}`,
      });
    }
  }
  return problems.length > 0 ? { kind: "refused", problems } : { kind: "entries", entries };
}

interface CsvRow {
  readonly record: Readonly<Record<string, string>>;
  readonly info: { readonly lines: number };
}

/** Undoes how export escapes what looks like a formula. */
const withoutEscape = (text: string) => text.replace(/^'(?=[=+\-@\t\r])/, "");

const cell = z.string().default("").transform(withoutEscape);

const timeCell = cell.transform((text, context) => {
  if (text === "") return undefined;
  const ms = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isFinite(ms)) return ms;
  context.addIssue("must be a time such as 2026-01-31T12:00:00Z");
  return z.NEVER;
});

const rowSchema = z
  .object({
    address: cell.transform((text, context) => {
      const address = text === "" ? "" : parseEmailAddress(text);
      if (address === undefined) context.addIssue(addressProblem(text));
      return address ?? z.NEVER;
    }),
    reason: cell
      .transform((text) => text.toLowerCase() || "manual")
      .pipe(z.enum(suppressionReasons, `must be one of ${suppressionReasons.join(", ")}`)),
    note: cell,
    created_at: timeCell,
    expires_at: timeCell,
    key: cell.refine(
      (text) => text === "" || recipientKeyShape.test(text),
      "must be 32 hex digits",
    ),
  })
  .refine(({ address, key }) => address !== "" || key !== "", "has neither an address nor a key");

function entryOf(row: z.infer<typeof rowSchema>, now: number): Suppression {
  const address = row.address === "" ? undefined : row.address;
  return {
    key: address === undefined ? row.key : recipientKey(address),
    address,
    reason: row.reason,
    note: row.note === "" ? undefined : row.note,
    createdAt: row.created_at ?? now,
    expiresAt: row.expires_at,
  };
}

/** Only the line and the code of the library's error: its message quotes the file. */
function describeCsvError(error: unknown): CsvProblem {
  const { code, lines } = error as { readonly code?: unknown; readonly lines?: unknown };
  const kind = typeof code === "string" ? code.toLowerCase().replaceAll("_", " ") : "unreadable";
  return { line: typeof lines === "number" ? lines : 1, problem: `is not CSV: ${kind}` };
}
