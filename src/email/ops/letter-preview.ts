import { maskEmail } from "../../core/log.ts";
import { boundedNote } from "../ledger/bounded-text.ts";

const previewCharsMax = 2000;
const depthMax = 5;
/** Shown as they are: none of them opens anything. */
const open = new Set([
  "message_id",
  "event_type",
  "timestamp",
  "expires_at",
  "expires_in",
  "purpose",
  "locale",
]);

/**
 * What an operator may see of a dead letter's value: its shape and what tells mails apart. Codes,
 * links, names and addresses are masked; of what is no JSON, only the outline is shown (letters as x,
 * digits as 0), because anything may stand in it. At most 2,000 characters.
 */
export function previewValue(value: Uint8Array | null): string {
  if (value === null) return "(no value)";
  const text = new TextDecoder().decode(value.subarray(0, 64 * 1024));
  const json = parse(text);
  if (json === undefined) return `${value.byteLength} bytes, not JSON: ${outline(text)}`;
  const masked = JSON.stringify(mask("", json, 0), null, 2) ?? "";
  return masked.slice(0, previewCharsMax);
}

function mask(name: string, value: unknown, depth: number): unknown {
  if (depth > depthMax) return "…";
  if (Array.isArray(value)) return value.slice(0, 20).map((item) => mask(name, item, depth + 1));
  if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value).slice(0, 50);
    return Object.fromEntries(
      fields.map(([key, item]) => [boundedNote(key), mask(key, item, depth + 1)]),
    );
  }
  if (typeof value === "string" && open.has(name)) return boundedNote(value);
  if (typeof value === "string" && name === "recipient") return boundedNote(maskEmail(value));
  if (typeof value === "boolean" || value === null) return value;
  return "•••";
}

function outline(text: string): string {
  const start = text.slice(0, 200).replace(/\p{Cc}+/gu, " ");
  return start.replace(/\p{L}/gu, "x").replace(/\p{N}/gu, "0");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
