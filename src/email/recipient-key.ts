import { sha256Hex } from "../core/secret.ts";

/**
 * The name under which preferences and suppressions are kept, and which stands in links: 32 hex
 * digits that do not show the address. Not keyed with a secret, because a wish must outlive a change
 * of EMAIL_SECRET; so whoever guesses an address can find out whether a key is its own.
 */
export function recipientKey(address: string): string {
  return sha256Hex(`instant-recipient:${address.toLowerCase()}`).slice(0, 32);
}

export const recipientKeyShape = /^[0-9a-f]{32}$/;
