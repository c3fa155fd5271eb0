// Our cookies: their names, their values in a request, and setting them.
import { setCookie } from "hono/cookie";
import type { HttpContext } from "./problem.ts";

/** `HttpOnly`, for every path of this host and for no other host. */
export interface Cookie {
  /** Without its prefix. */
  readonly name: string;
  /**
   * Sent over https only, and named `__Host-…`: browsers then take it from this host alone, while
   * any host of the domain can set a cookie of the plain name for all others (RFC 6265bis, 4.1.3.2).
   */
  readonly secure: boolean;
  readonly sameSite: "Lax" | "Strict";
}

/** "__Host-session_id"; "session_id" where it is not secure. */
export function cookieNameOf({ name, secure }: Cookie): string {
  return secure ? `__Host-${name}` : name;
}

const valuesMax = 8;

/**
 * The values of a cookie in this request, the likeliest first. Another application of the domain
 * may have set the same name, so there can be several, and only the caller knows which one is ours.
 * A secure cookie is also read by its plain name, which earlier releases gave it; the next release
 * reads the prefixed name alone.
 */
export function readCookie(context: HttpContext, cookie: Cookie): readonly string[] {
  const header = context.req.raw.headers.get("Cookie");
  if (header === null) return [];
  const plain = valuesOf(header, cookie.name);
  return cookie.secure ? [...valuesOf(header, cookieNameOf(cookie)), ...plain] : plain;
}

/**
 * At most 8, from the last: browsers send cookies of longer paths first (RFC 6265, 5.4), and ours
 * has the shortest, so no number of others crowds it out.
 */
function valuesOf(header: string, name: string): readonly string[] {
  if (!header.includes(name)) return [];
  const values = header
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`) && pair.length > name.length + 1)
    .map((pair) => pair.slice(name.length + 1));
  return [...new Set(values.toReversed())].slice(0, valuesMax);
}

/** `value` is kept for `seconds`; 0 deletes it. A value of its plain name is deleted too. */
export function writeCookie(
  context: HttpContext,
  cookie: Cookie,
  value: string,
  seconds: number,
): void {
  const { name, secure, sameSite } = cookie;
  const attributes = { path: "/", httpOnly: true, sameSite, secure } as const;
  setCookie(context, cookieNameOf(cookie), value, { ...attributes, maxAge: seconds });
  const header = context.req.raw.headers.get("Cookie") ?? "";
  if (secure && valuesOf(header, name).length > 0) {
    setCookie(context, name, "", { ...attributes, maxAge: 0 });
  }
}

export function clearCookie(context: HttpContext, cookie: Cookie): void {
  writeCookie(context, cookie, "", 0);
}
