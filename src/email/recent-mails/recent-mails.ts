import { isInstantError } from "../../core/errors.ts";
import { hmacText } from "../../core/secret.ts";

/**
 * Which mails went to a recipient lately, for who searches by address. It is an index beside the
 * ledger and no part of it: best effort, written without waiting while the ledger is asked, so that
 * a mail costs no further round trip; a note that fails is lost, and only the search misses it.
 *
 * Promises, tested by `tests/contract/recent-mails.ts` for every adapter:
 * - Kept are the newest 50 ids of a recipient, each once, for as long as the ledger keeps a mail
 *   (24 h from the newest note).
 * - A recipient is kept as a keyed hash: without EMAIL_SECRET nobody can tell whose mails these are.
 */
export interface RecentMails {
  /** Returns at once and never throws. Drops notes when more than 1,000 are under way. */
  add(recipient: string, messageId: string): void;
  /** Newest first. The ledger may have forgotten some. Throws `ledger_unavailable`. */
  find(recipient: string): Promise<readonly string[]>;
  /** Resolves when no note is under way. */
  settled(): Promise<void>;
}

export const recentMailsMax = 50;

export interface RecipientSecrets {
  readonly current: string;
  /** Of before a change: what was noted under it is still found. */
  readonly previous: string | undefined;
}

/** The names a recipient may be kept under, the one of the current secret first. 32 hex digits. */
export function recentMailKeys(secrets: RecipientSecrets, recipient: string): readonly string[] {
  const known = [secrets.current, secrets.previous].filter((secret) => secret !== undefined);
  return known.map((secret) =>
    hmacText(secret, "hex", "recent mails", recipient.toLowerCase()).slice(0, 32),
  );
}

const writesMax = 1000;

/** Writes that nobody waits for: at most 1,000 at a time; those that fail are lost, and the engine's client logs why. */
export class BackgroundWrites {
  readonly #writes = new Set<Promise<unknown>>();

  /** Does not call `write` when there are too many already. */
  add(write: () => Promise<unknown>): void {
    if (this.#writes.size >= writesMax) return;
    const written = write()
      .catch((error: unknown) => {
        if (!isInstantError(error)) throw error;
      })
      .finally(() => this.#writes.delete(written));
    this.#writes.add(written);
  }

  async settled(): Promise<void> {
    await Promise.all(this.#writes);
  }
}
