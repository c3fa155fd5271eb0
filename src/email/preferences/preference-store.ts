import type { OptionalType } from "../event.ts";
import { optionalTypes } from "../event.ts";

/**
 * Which optional mails a recipient has declined. Without a record the recipient gets all types.
 *
 * Promises, tested by `tests/contract/preference-store.ts` for every adapter:
 * - Once `change` has resolved, every `findDeclined` that begins afterwards sees it, in any
 *   process.
 * - A change touches the types that it names and no others, however many run at once, and is
 *   idempotent.
 * - `forget` deletes the record.
 * Recipients are named by `recipientKey`: no address is stored here. Throws the engine's own error
 * (`postgres_unavailable`, `sqlite_busy`) while it is unavailable.
 */
export interface PreferenceStore {
  /** The declined types by key, without the keys that declined none. At most 1,000 keys. */
  findDeclined(keys: readonly string[]): Promise<ReadonlyMap<string, ReadonlySet<string>>>;
  change(key: string, changes: PreferenceChanges): Promise<void>;
  forget(key: string): Promise<void>;
}

/** By type: true to get such mails, false to decline them; others stay unchanged. */
export type PreferenceChanges = { readonly [T in OptionalType]?: boolean | undefined };
export type Preferences = { readonly [T in OptionalType]: boolean };

export async function getPreferences(store: PreferenceStore, key: string): Promise<Preferences> {
  const declined = (await store.findDeclined([key])).get(key);
  const entries = optionalTypes.map((type) => [type, declined?.has(type) !== true]);
  return Object.fromEntries(entries) as Preferences;
}

/** For the adapters: the types that a change declines, and those that it accepts. */
export function splitPreferences(changes: PreferenceChanges): {
  declined: string[];
  accepted: string[];
} {
  const typesWith = (accepted: boolean) =>
    optionalTypes.filter((type) => changes[type] === accepted);
  return { declined: typesWith(false), accepted: typesWith(true) };
}

/** A row of both adapters' tables. */
export interface DeclinedRow {
  readonly recipient_key: string;
  readonly event_type: string;
}

export function groupDeclined(rows: readonly DeclinedRow[]): ReadonlyMap<string, Set<string>> {
  const declined = new Map<string, Set<string>>();
  for (const { recipient_key: key, event_type: type } of rows) {
    declined.set(key, (declined.get(key) ?? new Set()).add(type));
  }
  return declined;
}
