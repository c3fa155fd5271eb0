import { hmacText } from "../core/secret.ts";

/** AUTH_SECRET with the short name that stored codes carry. */
export interface AuthKey {
  readonly id: string;
  readonly secret: string;
}

/** The key new codes are made with, and all keys whose codes are still good. */
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
