import { isOpen } from "./advance-rules.ts";
import type { StoredRecord } from "./record.ts";

const claimsMax = 10_000;

/**
 * Open claims of this process as it wrote them last, so that a store need not read, or decode, what
 * is most likely still so. The oldest is forgotten beyond 10,000.
 */
export class OwnClaims<Written extends { readonly record: StoredRecord }> {
  readonly #claims = new Map<string, Written>();

  find(messageId: string): Written | undefined {
    return this.#claims.get(messageId);
  }

  /** Forgets a mail that is no longer open. */
  keep(written: Written): void {
    const { record } = written;
    this.#claims.delete(record.messageId);
    if (!isOpen(record)) return;
    this.#claims.set(record.messageId, written);
    if (this.#claims.size <= claimsMax) return;
    for (const oldest of this.#claims.keys()) {
      this.#claims.delete(oldest);
      break;
    }
  }
}
