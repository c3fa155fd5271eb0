import { hmacText, sha256Hex } from "../core/secret.ts";

/** AUTH_SECRET with the short id that stored codes carry. */
interface AuthKey {
  readonly id: string;
  readonly secret: string;
}

/** The key of new codes, and all keys whose codes are still valid. */
export interface AuthKeys {
  readonly current: AuthKey;
  readonly all: readonly AuthKey[];
}

/** `previous`: AUTH_SECRET_PREVIOUS, for as long as codes derived from it live. */
export function createAuthKeys(secret: string, previous: string | undefined): AuthKeys {
  const current = createKey(secret);
  const all = previous === undefined || previous === secret ? [] : [createKey(previous)];
  return { current, all: [current, ...all] };
}

function createKey(secret: string): AuthKey {
  return { id: hmacText(secret, "hex", "key-id").slice(0, 8), secret };
}

/**
 * The name of an address in the stores' keys, which must not reveal it. Not keyed with AUTH_SECRET:
 * live codes and counted attempts must outlive a change of the secret.
 */
export function subjectOf(email: string): string {
  return sha256Hex(`instant-subject:${email}`);
}
