import type { HttpContext } from "./environment.ts";

/** Where a browser says that a request comes from; `untold`: programs, which have no page. */
export type RequestOrigin = "same" | "other" | "untold";

/**
 * Whether a page of this origin sent the request, as the browser tells and no page can make up:
 * `Sec-Fetch-Site` where there is one (https and localhost), else `Origin` against `Host` and
 * `publicOrigin`. The scheme is not compared with Host, since a proxy before us may end TLS.
 */
export function requestOrigin(context: HttpContext, publicOrigin?: string): RequestOrigin {
  const site = context.req.header("Sec-Fetch-Site");
  if (site !== undefined) return site === "same-origin" ? "same" : "other";
  const origin = context.req.header("Origin");
  if (origin === undefined) return "untold";
  if (origin === publicOrigin) return "same";
  const host = context.req.header("Host")?.toLowerCase();
  return URL.canParse(origin) && new URL(origin).host === host ? "same" : "other";
}
