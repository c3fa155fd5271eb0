import { describe, expect, test } from "bun:test";
import {
  clientNetworkOf,
  isInNetwork,
  parseIpAddress,
  parseIpNetwork,
} from "../../src/core/http/client-address.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const networkOf = (text: string) => {
  const address = parseIpAddress(text);
  return address === undefined ? undefined : clientNetworkOf(address);
};

describe("a client's network", () => {
  test.each([
    ["192.0.2.7", "192.0.2.7"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["::ffff:c000:207", "192.0.2.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:DB8:1:2::", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["64:ff9b::192.0.2.7", "64:ff9b:0:0::/64"],
  ])("of %s is %s", (text, network) => {
    expect(networkOf(text)).toBe(network);
  });

  test.each([
    "",
    "x",
    "localhost",
    "1.2.3",
    "1.2.3.4.5",
    "256.1.1.1",
    "1.2.3.4:80",
    "1.2.3.4/8",
    ":::",
    "1::2::3",
    "2001:db8",
    "[::1]",
    "::1/64",
    "12345::",
  ])("%p is no address", (text) => {
    expect(parseIpAddress(text)).toBeUndefined();
  });

  test("is the same for all addresses of one /64, however they are written", () => {
    const random = new SeededRandom(7);
    const group = () => random.below(0x1_0000).toString(16);
    for (let round = 0; round < 500; round += 1) {
      const prefix = [group(), group(), group(), group()];
      const one = [...prefix, group(), group(), group(), group()].join(":");
      const other = `${prefix.join(":").toUpperCase()}::${group()}`;
      expect(networkOf(one)).toBe(networkOf(other) ?? "");
      const changed = [prefix[0], prefix[1], prefix[2], "zzzz"].join(":").replace("zzzz", group());
      if (changed !== prefix.join(":")) expect(networkOf(`${changed}::`)).not.toBe(networkOf(one));
    }
  });
});

describe("a network", () => {
  test.each([
    ["10.0.0.0/8", "10.255.0.1", true],
    ["10.0.0.0/8", "::ffff:10.255.0.1", true],
    ["10.0.0.0/8", "11.0.0.0", false],
    ["192.0.2.128/25", "192.0.2.128", true],
    ["192.0.2.128/25", "192.0.2.127", false],
    ["192.0.2.7", "192.0.2.7", true],
    ["192.0.2.7", "192.0.2.8", false],
    ["0.0.0.0/0", "203.0.113.9", true],
    ["0.0.0.0/0", "2001:db8::1", false],
    ["::/0", "203.0.113.9", true],
    ["2001:db8::/33", "2001:db8:7fff::1", true],
    ["2001:db8::/33", "2001:db8:8000::1", false],
    ["fd00::/8", "fdff::1", true],
  ])("%s has %s: %p", (network, address, isIn) => {
    const [parsed, hop] = [parseIpNetwork(network), parseIpAddress(address)];
    if (parsed === undefined || hop === undefined) throw new Error("is none");
    expect(isInNetwork(hop, parsed)).toBe(isIn);
  });

  test.each(["", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10/8", "example.com/8"])(
    "%p is none",
    (text) => {
      expect(parseIpNetwork(text)).toBeUndefined();
    },
  );
});
