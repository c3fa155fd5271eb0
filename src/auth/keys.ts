import { hmacText, sha256Hex } from "../core/secret.ts";

/** AUTH_SECRET with the short id that stored codes carry. */
interface AuthKey {
  readonly id: string;
  readonly secret: string;
}

/** The key of new codes, and all keys whose codes are still good. */
export interface AuthKeys {
  readonly current: AuthKey;
  readonly all: readonly AuthKey[];
}

/** `previous`: AUTH_SECRET_PREVIOUS, for as long as codes made with it live. */
export function createAuthKeys(secret: string, previous: string | undefined): AuthKeys {
  const current = createKey(secret);
  const all = previous === undefined || previous === secret ? [] : [createKey(previous)];
  return { current, all: [current, ...all] };
}

function createKey(secret: string): AuthKey {
  return { id: hmacText(secret, "hex", "key-id").slice(0, 8), secret };
}

/**
 * The name under which the stores keep what belongs to an address, so that their keys do not show
 * it. Not keyed with AUTH_SECRET: live codes and counted attempts must outlive a change of the secret.
 */
export function subjectOf(email: string): string {
  return sha256Hex(`instant-subject:${email}`);
}
