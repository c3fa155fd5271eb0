// Who sent a request: the client behind trusted proxies, and the origin that a browser reports.
import { BlockList, isIP, isIPv4, isIPv6 } from "node:net";
import type { MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import type { ErrorRow } from "../errors.ts";
import type { Log } from "../log.ts";
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

/**
 * Whether a network is too large for one operator, so that strangers are in it: `0.0.0.0/0`, more
 * than an IPv4 /8, more than an IPv6 /16 of public addresses.
 */
export function holdsStrangers(text: string): boolean {
  const [written = "", bitsText] = text.split("/");
  const address = parseIpAddress(written);
  if (address === undefined || bitsText === undefined) return false;
  const bits = Number(bitsText);
  if (isIPv4(address)) return bits - (isIPv4(written) ? 0 : 96) < 8;
  return bits < 16 && !address.startsWith("f"); // f…: fc00::/7 and others that are not public
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

/**
 * The networks around a client, as `clientNetworkOf` names it: the /56 of an IPv6 client, which is
 * mostly one household (RFC 6177), and its /48, one site; the /24 of an IPv4 client, also one site.
 */
export function networksAround(client: string): {
  readonly household?: string;
  readonly site?: string;
} {
  const [, ipv4] = /^(\d+\.\d+\.\d+)\.\d+$/.exec(client) ?? [];
  if (ipv4 !== undefined) return { site: `${ipv4}.0/24` };
  const [, site, subnet = ""] = /^((?:[\da-f]+:){3})([\da-f]+)::\/64$/.exec(client) ?? [];
  if (site === undefined) return {};
  const household = (Number.parseInt(subnet, 16) & 0xff00).toString(16);
  return { household: `${site}${household}::/56`, site: `${site}:/48` };
}

const forwardedCharsMax = 2_000;
const hopsMax = 20;
const unknownClient = "unknown";

/**
 * Reads the client of a request as rate limits count it: the peer of the connection or, when that is
 * one of `trustedProxies`, the rightmost hop of `X-Forwarded-For` that is not; whatever is left of it
 * may be forged. IPv6 counts per /64. `unknown` when the connection is closed.
 *
 * The first `X-Forwarded-For` of any other peer is logged: it may be a proxy that nobody listed, and
 * then all of its clients count as one.
 */
export function createClientReader(
  log: Log,
  trustedProxies: readonly IpNetwork[],
): (context: HttpContext) => string {
  let warned = false;
  const isOurs = (hop: IpAddress) => trustedProxies.some((network) => isInNetwork(hop, network));
  const warn = (peer: IpAddress) => {
    if (warned) return;
    warned = true;
    const fix =
      "If that is your proxy, add it to TRUSTED_PROXIES: until then all of its clients count as one";
    log.warn({ peer, fix }, "X-Forwarded-For of an unknown proxy was ignored");
  };
  return (context) => {
    const peer = parseIpAddress(clientAddress(context) ?? "");
    if (peer === undefined) return unknownClient;
    const forwarded = context.req.header("X-Forwarded-For");
    if (forwarded === undefined) return clientNetworkOf(peer);
    if (isOurs(peer)) return clientNetworkOf(findClient(peer, forwarded, isOurs));
    warn(peer);
    return clientNetworkOf(peer);
  };
}

function findClient(
  proxy: IpAddress,
  forwarded: string,
  isOurs: (hop: IpAddress) => boolean,
): IpAddress {
  let client = proxy;
  const hops = forwarded.slice(-forwardedCharsMax).split(",").toReversed().slice(0, hopsMax);
  for (const hop of hops) {
    if (!isOurs(client)) return client;
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

export const loopbackOnlyError: ErrorRow = {
  code: "loopback_only",
  meaning: "This page is only served to the same machine",
  retryable: false,
  status: 403,
};

const loopbackNames = new Set(["localhost", "127.0.0.1", "[::1]"]);
const loopbackAddresses = new Set(["127.0.0.1", "::1", "::ffff:127.0.0.1"]);

const proxyHeader = /^(?:forwarded|via|x-real-ip|x-forwarded-.+)$/i;

/** Whether a proxy passed the request on, by what most of them add. */
export function isForwarded(context: HttpContext): boolean {
  return [...context.req.raw.headers.keys()].some((name) => proxyHeader.test(name));
}

/**
 * Whether a program on this machine sent the request: over a loopback connection, under a loopback
 * name (otherwise a site could rebind its DNS name to this machine), and not through a proxy. nginx's
 * `proxy_pass` alone adds no header and names this machine as the Host, but it closes the connection
 * after the answer, which browsers do not ask for.
 */
export function isFromThisMachine(context: HttpContext): boolean {
  const { url } = context.req; // the bare path without a usable Host
  const address = clientAddress(context);
  const connection = context.req.header("Connection")?.toLowerCase() ?? "keep-alive";
  return (
    address !== undefined &&
    loopbackAddresses.has(address) &&
    URL.canParse(url) &&
    loopbackNames.has(new URL(url).hostname) &&
    connection === "keep-alive" &&
    !isForwarded(context)
  );
}

/** Only serves requests from this machine; `detail` tells others what to do. */
export function loopbackOnly(detail?: string): MiddlewareHandler<HttpEnvironment> {
  return async function loopbackOnly(context, next) {
    return isFromThisMachine(context)
      ? next()
      : problemResponse(context, loopbackOnlyError, { detail });
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

/** The protocol that the browser used, according to the proxy in front: "https". */
export function forwardedProtocol({ req }: HttpContext): string | undefined {
  return req.header("X-Forwarded-Proto")?.split(",", 1)[0]?.trim().toLowerCase();
}

/**
 * Whether a browser opened this page with http://, as far as the request shows it: browsers send
 * `Sec-Fetch-Site` to secure pages only (https and localhost), forms name their page's origin, and the
 * rest is for a proxy to tell.
 */
export function isPlainHttp(context: HttpContext): boolean {
  if (context.req.header("Sec-Fetch-Site") !== undefined) return false;
  const origin = context.req.header("Origin") ?? "";
  if (URL.canParse(origin)) return new URL(origin).protocol === "http:";
  return forwardedProtocol(context) === "http";
}

const prefetching = /prefetch|prerender|preview/i;

/**
 * Whether a person sees the answer: false for what a browser fetches ahead, or as a part of another
 * page; true in doubt.
 */
export function isSeen({ req: { method, raw } }: HttpContext): boolean {
  const { headers } = raw;
  const purposes = ["Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"];
  if (method !== "GET" || purposes.some((name) => prefetching.test(headers.get(name) ?? ""))) {
    return false;
  }
  const destination = headers.get("Sec-Fetch-Dest") ?? "document";
  const byOurScript = destination === "empty" && headers.get("Sec-Fetch-Site") === "same-origin";
  return destination === "document" || byOurScript;
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
