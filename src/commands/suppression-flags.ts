import type { ConfigProblem } from "../core/config/parse.ts";
import { throwProblems } from "../core/config/parse.ts";
import { emailAddressBound, parseEmailAddress } from "../core/email-address.ts";
import { coreErrors } from "../core/error-codes.ts";
import { parseGoDuration } from "../core/go-duration.ts";
import { recipientKey, recipientKeyShape } from "../email/recipient-key.ts";
import type { SuppressionReason } from "../email/suppressions/suppression-store.ts";
import { entriesMax, suppressionReasons } from "../email/suppressions/suppression-store.ts";

/** The flags as commander gives them. */
export interface SuppressionFlags {
  readonly reason?: string;
  readonly for?: string;
  readonly note?: string;
  readonly limit?: string;
  readonly address?: string;
  readonly json?: boolean;
}

export interface ParsedSuppressionFlags {
  readonly reason: SuppressionReason | undefined;
  /** Undefined: no end. */
  readonly durationMs: number | undefined;
  readonly limit: number;
}

const limitDefault = 100;
const limitMax = 10_000;

/** Throws `usage_invalid` that names every flag that cannot be read, and its bound. */
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

export interface NamedRecipient {
  readonly key: string;
  /** Undefined when it was named by its key. */
  readonly address: string | undefined;
}

/** Addresses, or keys as `list` shows them for addresses that were to be forgotten. */
export function parseRecipients(texts: readonly string[]): NamedRecipient[] {
  const problems: ConfigProblem[] = [];
  if (texts.length > entriesMax) {
    const problem = `are at most ${entriesMax} at once; use import for more`;
    problems.push({ name: "addresses", problem });
  }
  const recipients = texts.flatMap((text): NamedRecipient[] => {
    if (recipientKeyShape.test(text)) return [{ key: text, address: undefined }];
    const address = parseEmailAddress(text);
    if (address !== undefined) return [{ key: recipientKey(address), address }];
    problems.push({
      name: JSON.stringify(text.slice(0, 80)),
      problem: `must be ${emailAddressBound}`,
    });
    return [];
  });
  throwProblems(problems, coreErrors.usageInvalid);
  return recipients;
}
