import { randomToken, sha256Hex } from "../../core/secret.ts";

const tokenShape = /^[A-Za-z0-9_-]{43}$/;
/** Of a session's id: 16 bytes in base64url. */
export const sessionIdPattern = "[A-Za-z0-9_-]{22}";

export function createSessionToken(): string {
  return randomToken(32);
}

export function createSessionId(): string {
  return randomToken(16);
}

/** The name a token is kept under; undefined for what cannot be a token, and is not looked up. */
export function sessionKeyOf(token: string): string | undefined {
  return tokenShape.test(token) ? sha256Hex(token) : undefined;
}
