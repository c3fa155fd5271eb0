import { isIPv4, isIPv6 } from "node:net";

/**
 * An IP address as its 16 bytes; IPv4 as IPv6 maps it (RFC 4291, 2.5.5.2), so that `::ffff:192.0.2.1`
 * and `192.0.2.1` are one address.
 */
export type IpAddress = Uint8Array;

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
