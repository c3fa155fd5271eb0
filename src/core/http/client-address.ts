// Who sent a request: the client behind trusted proxies, and the origin that a browser reports.
import { BlockList, isIP, isIPv4, isIPv6 } from "node:net";
import type { MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import type { ErrorRow } from "../errors.ts";
import type { Cookie } from "./cookies.ts";
import { readCookie } from "./cookies.ts";
import type { HttpContext, HttpEnvironment } from "./problem.ts";
import { clientAddress, httpErrors, problemResponse } from "./problem.ts";

/**
 * An IP address in its one canonical notation: IPv4 dotted ("192.0.2.1", also for
 * "::ffff:192.0.2.1", RFC 4291, 2.5.5.2), IPv6 as in RFC 5952.
 */
type IpAddress = string;

/** Undefined for anything that is no address: a name, an address with a port or a prefix. */
export function parseIpAddress(text: string): IpAddress | undefined {
  if (isIPv4(text)) return text;
  const address = text.replace(/%.*$/, ""); // the zone is a local interface
  if (!isIPv6(address)) return undefined;
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical) ?? [];
  if (high === undefined || low === undefined) return canonical;
  const [upper, lower] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [upper >> 8, upper & 0xff, lower >> 8, lower & 0xff].join(".");
}

export type IpNetwork = BlockList;

/** "10.0.0.0/8", "fd00::/8", or one address. */
export function parseIpNetwork(text: string): IpNetwork | undefined {
  const [, address = "", bitsText] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const bitsMax = isIPv4(address) ? 32 : 128;
  const bits = Number(bitsText ?? bitsMax);
  if (isIP(address) === 0 || bits > bitsMax) return undefined;
  const network = new BlockList();
  network.addSubnet(address, bits, bitsMax === 32 ? "ipv4" : "ipv6");
  return network;
}

/** An IPv4 address also matches IPv6 networks, as its mapped form. */
export function isInNetwork(address: IpAddress, network: IpNetwork): boolean {
  return network.check(isIPv4(address) ? `::ffff:${address}` : address, "ipv6");
}

/**
 * What counts as one client: an IPv4 address ("192.0.2.7"), or the /64 of an IPv6 address
 * ("2001:db8:0:1::/64"), because one household or machine usually has all of it.
 */
export function clientNetworkOf(address: IpAddress): string {
  if (isIPv4(address)) return address;
  const [head = [], tail = []] = address.split("::").map((half) => half.split(":").filter(Boolean));
  const zeros = Array<string>(8 - head.length - tail.length).fill("0");
  return `${[...head, ...zeros, ...tail].slice(0, 4).join(":")}::/64`;
}

const forwardedCharsMax = 2_000;
const hopsMax = 20;
const unknownClient = "unknown";

/**
 * The client as rate limits count it: the peer of the connection or, when that is one of
 * `trustedProxies`, the rightmost hop of `X-Forwarded-For` that is not; whatever is left of it may
 * be forged. IPv6 counts per /64. `unknown` when the connection is closed.
 */
export function clientOf(context: HttpContext, trustedProxies: readonly IpNetwork[]): string {
  const address = findClient(context, trustedProxies);
  return address === undefined ? unknownClient : clientNetworkOf(address);
}

function findClient(
  context: HttpContext,
  trustedProxies: readonly IpNetwork[],
): IpAddress | undefined {
  const direct = parseIpAddress(clientAddress(context) ?? "");
  if (trustedProxies.length === 0) return direct;
  const isOurs = (hop: IpAddress) => trustedProxies.some((network) => isInNetwork(hop, network));
  let client = direct;
  const forwarded = (context.req.header("X-Forwarded-For") ?? "").slice(-forwardedCharsMax);
  for (const hop of forwarded.split(",").toReversed().slice(0, hopsMax)) {
    if (client === undefined || !isOurs(client)) return client;
    const before = parseIpAddress(withoutPort(hop.trim()));
    if (before === undefined) return client; // our proxy wrote this hop, so no client before it is known
    client = before;
  }
  return client;
}

/** Some proxies add the port: "192.0.2.7:4711", "[2001:db8::1]:4711". */
function withoutPort(hop: string): string {
  return /^\[([^\]]*)\](?::\d+)?$/.exec(hop)?.[1] ?? /^([\d.]+):\d+$/.exec(hop)?.[1] ?? hop;
}

const loopbackOnlyError: ErrorRow = {
  code: "loopback_only",
  meaning: "This page is only served to the same machine",
  retryable: false,
  status: 403,
};

const loopbackNames = new Set(["localhost", "127.0.0.1", "[::1]"]);
const loopbackAddresses = new Set(["127.0.0.1", "::1", "::ffff:127.0.0.1"]);

/**
 * Only serves requests from this machine whose Host is a loopback name, which protects against DNS
 * rebinding.
 */
export function loopbackOnly(): MiddlewareHandler<HttpEnvironment> {
  return async function loopbackOnly(context, next) {
    const { hostname } = new URL(context.req.url);
    const address = clientAddress(context);
    if (address === undefined || !loopbackAddresses.has(address) || !loopbackNames.has(hostname)) {
      return problemResponse(context, loopbackOnlyError);
    }
    return next();
  };
}

const preflightSecondsMax = 600;

/** CORS: only pages of these origins may read the API's responses, with the cookie. */
export function crossOriginReads(origins: readonly string[]): MiddlewareHandler<HttpEnvironment> {
  return cors({
    origin: [...origins],
    credentials: true,
    allowMethods: ["GET", "POST", "PATCH", "DELETE"],
    allowHeaders: ["Content-Type", "Authorization", "X-Request-Id", "traceparent", "tracestate"],
    exposeHeaders: ["Retry-After", "RateLimit", "RateLimit-Policy", "X-Request-Id"],
    maxAge: preflightSecondsMax,
  });
}

/** The origin of a request, according to the browser; `unknown`: not sent by a page. */
type RequestOrigin = "same" | "other" | "unknown";

/**
 * Whether a page of this origin sent the request, by headers that pages cannot forge:
 * `Sec-Fetch-Site` if present (https and localhost), else `Origin` against `Host` and
 * `publicOrigin`. Schemes are not compared, because a proxy in front may terminate TLS.
 */
export function requestOrigin(context: HttpContext, publicOrigin?: string): RequestOrigin {
  const site = context.req.header("Sec-Fetch-Site");
  if (site !== undefined) return site === "same-origin" ? "same" : "other";
  const origin = context.req.header("Origin");
  if (origin === undefined) return "unknown";
  if (origin === publicOrigin) return "same";
  if (!URL.canParse(origin)) return "other";
  const { protocol, host } = new URL(origin);
  const own = `${protocol}//${context.req.header("Host")}`; // also "id.example.com:443"
  return URL.canParse(own) && new URL(own).host === host ? "same" : "other";
}

/** The token of `Authorization: Bearer …` (RFC 6750, 2.1); undefined with any other scheme. */
export function bearerToken(context: HttpContext): string | undefined {
  return /^Bearer +(\S+)$/i.exec(context.req.header("Authorization") ?? "")?.[1];
}

interface SameOriginOptions {
  /** The cookie of the session. */
  readonly cookie: Cookie;
  readonly publicOrigin: string | undefined;
  /** Other origins, trusted like our own: "https://app.example.com". */
  readonly origins: readonly string[];
}

const reads = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Rejects writes from pages of other sites, which make a browser send its cookies (CSRF). A request
 * with a Bearer token is exempt: another site's page cannot send one without a preflight (CORS), and
 * its cookie is ignored. Not so with other schemes: browsers attach Basic by themselves. Any other
 * write must not name another origin, and with the cookie it must name ours. Programs send no
 * cookie, or add `Origin`.
 */
export function refuseForeignWrite(
  context: HttpContext,
  options: SameOriginOptions,
): Response | undefined {
  if (reads.has(context.req.method) || bearerToken(context) !== undefined) return undefined;
  const origin = context.req.header("Origin");
  if (origin !== undefined && options.origins.includes(origin)) return undefined;
  const from = requestOrigin(context, options.publicOrigin);
  const withCookie = readCookie(context, options.cookie).length > 0;
  if (from === "same" || (from === "unknown" && !withCookie)) return undefined;
  const detail =
    from === "unknown"
      ? "With the cookie, a write needs the Origin header; or send Authorization: Bearer."
      : undefined;
  return problemResponse(context, httpErrors.crossOrigin, { detail });
}
