/**
 * The addresses that get no mail at all, of whatever type: mail to them bounced, their owner
 * complained of it, or an operator said so. An entry may have an end; after it, it is as if it were
 * not there, and the next `add` sweeps it away.
 *
 * Promises, tested by `tests/contract/suppression-store.ts` for every adapter:
 * - What `add` or `remove` resolved is seen by every `find` that begins afterwards, in any process.
 * - Of two entries for one address the one that ends later stays, whichever came first; repeating an
 *   `add` changes nothing else.
 * - `forgetAddress` takes the address and the note out of an entry and leaves the rest: the address
 *   stays suppressed, and nobody can read whose it was.
 * Recipients are named by `recipientKey`. Throws the engine's own error (`postgres_unavailable`,
 * `sqlite_busy`) when it is away.
 */
export interface SuppressionStore {
  /** By key, the living entries. At most 1,000 keys. */
  find(keys: readonly string[]): Promise<ReadonlyMap<string, Suppression>>;
  /** How many were written; the others ended no later than what was there. At most 1,000 entries. */
  add(entries: readonly Suppression[]): Promise<number>;
  /** Whether there was a living entry. */
  remove(key: string): Promise<boolean>;
  forgetAddress(key: string): Promise<void>;
  /** The newest living entries, at most `limit`. */
  newest(options: {
    readonly limit: number;
    readonly reason?: SuppressionReason | undefined;
  }): Promise<readonly Suppression[]>;
  /** Living entries in the order of their keys, behind `after`, at most `limit`: for reading all. */
  page(options: {
    readonly after: string;
    readonly limit: number;
  }): Promise<readonly Suppression[]>;
  /** How many living entries there are. */
  count(reason?: SuppressionReason): Promise<number>;
}

export const suppressionReasons = ["bounced", "complained", "manual"] as const;
export type SuppressionReason = (typeof suppressionReasons)[number];

export interface Suppression {
  readonly key: string;
  /** In lower case; undefined when it was to be forgotten. */
  readonly address: string | undefined;
  readonly reason: SuppressionReason;
  /** What the server or the operator said. `add` cuts it to `noteCharsMax`, on one line. */
  readonly note: string | undefined;
  /** Unix ms. */
  readonly createdAt: number;
  /** Unix ms; undefined: until it is removed. */
  readonly expiresAt: number | undefined;
}

export const noteCharsMax = 500;
export const entriesMax = 1_000;
