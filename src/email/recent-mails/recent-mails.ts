import { canonicalAddress } from "../../core/email-address.ts";
import { isInstantError } from "../../core/errors.ts";
import { hmacText } from "../../core/secret.ts";

/**
 * Which mails went to a recipient lately, for a search by address. It is an index beside the ledger
 * and no part of it: best effort, written in the background by the ledger's claims, in the same write, so
 * that a mail costs no further round trip; an entry that cannot be written is lost, and only the search
 * misses it.
 *
 * Promises, tested by `tests/contract/recent-mails.ts` for every adapter:
 * - The newest 50 ids of a recipient are kept, each once, for as long as the ledger keeps a mail
 *   (24 h from the newest entry).
 * - A recipient is kept as a keyed hash: without EMAIL_SECRET nobody can tell whose mails these are.
 */
export interface RecentMails {
  /** Returns at once and never throws. Drops the entries while 1,000 batches are being written. */
  add(mails: readonly RecentMail[]): void;
  /** Newest first. The ledger may have forgotten some. Throws `ledger_unavailable`. */
  find(recipient: string): Promise<readonly string[]>;
  /** Resolves when no entry is being written. */
  settled(): Promise<void>;
}

export interface RecentMail {
  readonly recipient: string;
  readonly messageId: string;
}

export const mailsMax = 50;

export interface RecipientSecrets {
  readonly current: string;
  /** The one before a change: what was kept under it is still found. */
  readonly previous: string | undefined;
}

/** The name that a recipient is kept under: 32 hex digits. */
export function recentMailsKey(secret: string, recipient: string): string {
  return hmacText(secret, "hex", "recent mails", canonicalAddress(recipient)).slice(0, 32);
}

/** All names that a recipient may be kept under, the one of the current secret first. */
export function recentMailsKeys(
  { current, previous }: RecipientSecrets,
  recipient: string,
): readonly string[] {
  const secrets = previous === undefined ? [current] : [current, previous];
  return secrets.map((secret) => recentMailsKey(secret, recipient));
}

const writesMax = 1000;

/** Writes that nobody awaits, at most 1,000 at a time; one that fails is lost, and the engine's client logs why. */
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
