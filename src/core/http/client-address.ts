import { isIPv4, isIPv6 } from "node:net";
import type { MiddlewareHandler } from "hono";
import type { ErrorRow } from "../errors.ts";
import type { HttpContext, HttpEnvironment } from "./environment.ts";
import { clientAddress } from "./environment.ts";
import { problemResponse } from "./problem.ts";

/**
 * An IP address as its 16 bytes; IPv4 as IPv6 maps it (RFC 4291, 2.5.5.2), so that `::ffff:192.0.2.1`
 * and `192.0.2.1` are one address.
 */
type IpAddress = Uint8Array;

const mappedPrefix = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** Undefined for anything that is no address: a name, an address with a port or a prefix. */
export function parseIpAddress(text: string): IpAddress | undefined {
  if (isIPv4(text)) return Uint8Array.from([...mappedPrefix, ...text.split(".").map(Number)]);
  const address = text.replace(/%.*$/, ""); // the zone is about our own interfaces
  return isIPv6(address) ? parseIpv6(address) : undefined;
}

export interface IpNetwork {
  readonly address: IpAddress;
  /** Of the 128 bits. */
  readonly prefixBits: number;
}

/** "10.0.0.0/8", "fd00::/8", or one address. */
export function parseIpNetwork(text: string): IpNetwork | undefined {
  const [, addressText = "", bitsText] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = parseIpAddress(addressText);
  if (address === undefined) return undefined;
  const offset = isIPv4(addressText) ? 96 : 0;
  const prefixBits = bitsText === undefined ? 128 : offset + Number(bitsText);
  return prefixBits <= 128 ? { address, prefixBits } : undefined;
}

export function isInNetwork(address: IpAddress, network: IpNetwork): boolean {
  for (let bit = 0; bit < network.prefixBits; bit += 8) {
    const bits = Math.min(8, network.prefixBits - bit);
    const mask = (0xff << (8 - bits)) & 0xff;
    const index = bit / 8;
    if (((address[index] ?? 0) & mask) !== ((network.address[index] ?? 0) & mask)) return false;
  }
  return true;
}

/**
 * Who counts as one client: an IPv4 address ("192.0.2.7"), or the /64 of an IPv6 address
 * ("2001:db8:0:1::/64"), because one household or machine has all of it.
 */
export function clientNetworkOf(address: IpAddress): string {
  if (mappedPrefix.every((byte, index) => address[index] === byte)) {
    return address.subarray(12).join(".");
  }
  const groups = [0, 2, 4, 6].map((at) =>
    (((address[at] ?? 0) << 8) | (address[at + 1] ?? 0)).toString(16),
  );
  return `${groups.join(":")}::/64`;
}

function parseIpv6(text: string): IpAddress {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  const hex = (high = "", low = "") => ((Number(high) << 8) | Number(low)).toString(16);
  const plain =
    dotted === null
      ? text
      : `${dotted[1]}${hex(dotted[2], dotted[3])}:${hex(dotted[4], dotted[5])}`;
  const [head = "", tail] = plain.split("::");
  const before = groupsOf(head);
  const after = groupsOf(tail ?? "");
  const zeros = Array<number>(8 - before.length - after.length).fill(0);
  return Uint8Array.from(
    [...before, ...zeros, ...after].flatMap((group) => [group >> 8, group & 0xff]),
  );
}

function groupsOf(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
}

const forwardedCharsMax = 2_000;
const hopsMax = 20;
const unknownClient = "unknown";

/**
 * Says on the context who asks, for counting (`context.get("client")`): the address of the other
 * end of the connection or, when that is one of ours (`trustedProxies`), the rightmost hop of
 * `X-Forwarded-For` that is none of ours: what stands left of it, its sender may have made up. IPv6
 * counts per /64. `unknown` when the connection is already gone.
 */
export function clientNetwork(
  trustedProxies: readonly IpNetwork[],
): MiddlewareHandler<HttpEnvironment> {
  return async function clientNetwork(context, next) {
    const address = findClient(context, trustedProxies);
    context.set("client", address === undefined ? unknownClient : clientNetworkOf(address));
    await next();
  };
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
    if (before === undefined) return client; // the proxy of ours that wrote it is all we know
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
  meaning: "This page is for programs and people on the same machine",
  retryable: false,
  status: 403,
};

const loopbackNames = new Set(["localhost", "127.0.0.1", "[::1]"]);
const loopbackAddresses = new Set(["127.0.0.1", "::1", "::ffff:127.0.0.1"]);

/**
 * Lets a request through when it comes from this machine and was addressed to it by a loopback
 * name: a page elsewhere that makes a browser ask here (DNS rebinding) brings its own name.
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
