/** What the loads ask for, as the bytes of HTTP/1.1. */
export type RequestKind = "request-code" | "session";

/** Addresses of one run are nobody's of another. */
const run = crypto.randomUUID().slice(0, 8);

/**
 * The `number`th `POST /auth/request-code` of this process: for an address of its own, and from a
 * client of its own, as the proxy before serve-auth tells.
 */
export function codeRequest(host: string, number: number): string {
  const body = `{"email":"${addressOf(number)}"}`;
  const client = `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`;
  return `POST /auth/request-code HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nX-Forwarded-For: ${client}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

export function addressOf(number: number): string {
  return `${run}-${number}@example.com`;
}

/** `GET /auth/session` of whoever has the token. */
export function sessionRequest(host: string, token: string): string {
  return `GET /auth/session HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\n\r\n`;
}
