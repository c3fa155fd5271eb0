import type { OptionalType } from "../event.ts";
import { optionalTypes } from "../event.ts";

/**
 * Which optional mails a recipient has declined. Who never said anything gets them all.
 *
 * Promises, tested by `tests/contract/preference-store.ts` for every adapter:
 * - What `change` resolved is seen by every `findDeclined` that begins afterwards, in any process.
 * - A change touches the types it names and no other, however many run at once; repeating it
 *   changes nothing.
 * - A recipient that was forgotten is like one who never said anything.
 * Recipients are named by `recipientKey`: no address is kept here.
 * Throws the engine's own error (`postgres_unavailable`, `sqlite_busy`) when it is away.
 */
export interface PreferenceStore {
  /** By key, the types that were declined; who declined nothing is left out. At most 1,000 keys. */
  findDeclined(keys: readonly string[]): Promise<ReadonlyMap<string, ReadonlySet<string>>>;
  change(key: string, changes: PreferenceChanges): Promise<void>;
  forget(key: string): Promise<void>;
}

/** By type: true to get such mails, false to decline them. */
export type PreferenceChanges = { readonly [T in OptionalType]?: boolean | undefined };
export type Preferences = { readonly [T in OptionalType]: boolean };

export async function getPreferences(store: PreferenceStore, key: string): Promise<Preferences> {
  const declined = (await store.findDeclined([key])).get(key);
  const entries = optionalTypes.map((type) => [type, declined?.has(type) !== true]);
  return Object.fromEntries(entries) as Preferences;
}

/** The types of both kinds of wishes, for the adapters. */
export function splitPreferences(changes: PreferenceChanges): {
  declined: string[];
  accepted: string[];
} {
  const of = (wanted: boolean) => optionalTypes.filter((type) => changes[type] === wanted);
  return { declined: of(false), accepted: of(true) };
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
