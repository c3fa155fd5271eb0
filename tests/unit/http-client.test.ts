import { describe, expect, test } from "bun:test";
import type { ConfigProblem } from "../../src/core/config.ts";
import { createHttpApp, httpFields, resolveHttp } from "../../src/core/http/app.ts";
import {
  clientNetworkOf,
  holdsStrangers,
  isInNetwork,
  networksAround,
  parseIpAddress,
  parseIpNetwork,
} from "../../src/core/http/client-address.ts";
import { createLog, silentLog } from "../../src/core/log.ts";
import { parseConfig } from "../../support/settings.ts";
import { SeededRandom } from "../support/seeded-random.ts";

function resolve(environment: Record<string, string>) {
  const problems: ConfigProblem[] = [];
  const { http } = parseConfig({ http: httpFields }, environment);
  return { boundary: resolveHttp(http, problems), names: problems.map(({ name }) => name) };
}

/** The client that the app counts behind these proxies. */
async function clientOf(
  connection: string | undefined,
  forwarded: string | undefined,
  proxies = "10.0.0.0/8,2001:db8:ffff::/48",
): Promise<string> {
  const { trustedProxies } = resolve({ TRUSTED_PROXIES: proxies }).boundary;
  const app = createHttpApp({ log: silentLog, trustedProxies });
  app.get("/client", (context) => context.text(context.get("client")));
  const headers = forwarded === undefined ? {} : { "X-Forwarded-For": forwarded };
  const answer = await app.request("/client", { headers }, { clientAddress: connection });
  return answer.text();
}

describe("the client that is counted", () => {
  test.each([
    ["no proxy of ours: the peer", "203.0.113.5", undefined, "203.0.113.5"],
    ["what a stranger claims in the header", "203.0.113.5", "192.0.2.1", "203.0.113.5"],
    ["behind our proxy: its last hop", "10.0.0.1", "192.0.2.1", "192.0.2.1"],
    ["behind two of ours", "10.0.0.1", "192.0.2.1, 10.9.9.9", "192.0.2.1"],
    ["hops left of the last unknown one are forged", "10.0.0.1", "1.1.1.1, 192.0.2.1", "192.0.2.1"],
    ["a forged hop of ours does not help", "10.0.0.1", "10.0.0.2, 192.0.2.1", "192.0.2.1"],
    ["our proxy itself", "10.0.0.1", undefined, "10.0.0.1"],
    ["only hops of ours", "10.0.0.1", "10.0.0.3", "10.0.0.3"],
    ["an invalid hop: the proxy that wrote it", "10.0.0.1", "192.0.2.1, unknown", "10.0.0.1"],
    ["with ports", "10.0.0.1", "192.0.2.1:4711", "192.0.2.1"],
    ["IPv6 with a port", "10.0.0.1", "[2001:db8::1]:4711", "2001:db8:0:0::/64"],
    ["IPv6 counts per /64", "2001:db8:1:2:aaaa::1", undefined, "2001:db8:1:2::/64"],
    ["our IPv6 proxy", "2001:db8:ffff::1", "192.0.2.1", "192.0.2.1"],
    ["IPv4 on an IPv6 socket", "::ffff:10.0.0.1", "192.0.2.1", "192.0.2.1"],
    ["a closed connection", undefined, "192.0.2.1", "unknown"],
  ])("%s", async (_, connection, forwarded, client) => {
    expect(await clientOf(connection, forwarded)).toBe(client);
  });

  test("a thousand forged hops cost no more than twenty", async () => {
    const forwarded = Array.from({ length: 1000 }, () => "10.0.0.2").join(",");
    expect(await clientOf("10.0.0.1", `192.0.2.1,${forwarded}`)).toBe("10.0.0.2");
  });
});

describe("X-Forwarded-For of a peer that is no proxy of ours", () => {
  /** The warnings about it after these requests: the peer, and whether it sends the header. */
  async function warningsAfter(
    requests: readonly (readonly [peer: string | undefined, forwarded: boolean])[],
    proxies: string,
  ) {
    const lines: string[] = [];
    const log = createLog({ service: "t", level: "warn", write: (line) => lines.push(line) });
    const networks = proxies.split(",").map(parseIpNetwork);
    const trustedProxies = networks.filter((network) => network !== undefined);
    const app = createHttpApp({ log, trustedProxies });
    app.get("/", (context) => context.text("ok"));
    for (const [clientAddress, forwarded] of requests) {
      const headers: Record<string, string> = forwarded ? { "X-Forwarded-For": "192.0.2.1" } : {};
      await app.request("/", { headers }, { clientAddress });
    }
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  test("is logged the first time, with what to do", async () => {
    const requests = [
      ["10.0.0.1", false],
      [undefined, true],
      ["10.0.0.1", true],
      ["10.0.0.2", true],
    ] as const;
    expect(await warningsAfter(requests, "")).toMatchObject([
      {
        level: "warn",
        msg: "X-Forwarded-For of an unknown proxy was ignored",
        peer: "10.0.0.1",
        fix: expect.stringContaining("TRUSTED_PROXIES"),
      },
    ]);
    const others = await warningsAfter([["203.0.113.5", true]], "10.0.0.0/8");
    expect(others).toMatchObject([{ peer: "203.0.113.5" }]);
  });

  test("is not logged for our own proxies, and not without the header", async () => {
    const requests = [
      ["10.0.0.1", true],
      ["203.0.113.5", false],
    ] as const;
    expect(await warningsAfter(requests, "10.0.0.0/8")).toEqual([]);
  });
});

describe("a proxy's network", () => {
  test.each(["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/2", "::/0", "2000::/3", "::ffff:0:0/96"])(
    "%s holds strangers",
    (text) => {
      expect(holdsStrangers(text)).toBe(true);
    },
  );

  test.each([
    "127.0.0.1",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "104.16.0.0/13",
    "fd00::/8",
    "fc00::/7",
    "2400:cb00::/32",
    "::1",
    "::ffff:10.0.0.0/104",
    "nonsense",
  ])("%s holds none", (text) => {
    expect(holdsStrangers(text)).toBe(false);
  });
});

describe("the settings", () => {
  test("by default no proxy and no other origin is trusted", () => {
    expect(resolve({})).toEqual({
      boundary: {
        trustedProxies: [],
        corsOrigins: [],
        publicOrigin: undefined,
        hstsSubdomains: false,
      },
      names: [],
    });
  });

  test.each([
    "https://id.example.com:443",
    "https://ID.Example.com",
    "https://id.example.com/",
    "HTTPS://id.example.com:443/",
  ])("%s is the origin https://id.example.com", (text) => {
    const { boundary, names } = resolve({ PUBLIC_URL: text, CORS_ORIGINS: text });
    expect(names).toEqual([]);
    expect([boundary.publicOrigin, boundary.corsOrigins]).toEqual([
      "https://id.example.com",
      ["https://id.example.com"],
    ]);
  });

  test.each([
    ["http://id.example.com:80", "http://id.example.com"],
    ["https://id.example.com:80", "https://id.example.com:80"],
    ["http://id.example.com:443", "http://id.example.com:443"],
  ])("%s is the origin %s", (text, origin) => {
    const { boundary } = resolve({ PUBLIC_URL: text, CORS_ORIGINS: text });
    expect([boundary.publicOrigin, boundary.corsOrigins]).toEqual([origin, [origin]]);
  });

  test.each([
    ["TRUSTED_PROXIES", "10.0.0.0/33"],
    ["CORS_ORIGINS", "https://app.example.com:99999"],
    ["TRUSTED_PROXIES", "10.0.0.1, 1.2.3"],
    ["PUBLIC_URL", "https://example.com/sign-in"],
    ["PUBLIC_URL", "https://example.com?a=b"],
    ["PUBLIC_URL", "https://bank.example@evil.example"],
    ["PUBLIC_URL", "https://ana:secret@example.com"],
  ])("%s=%s is a problem", (name, text) => {
    expect(resolve({ [name]: text }).names).toEqual([name]);
  });

  test.each([
    ["TRUSTED_PROXIES", "proxy.example.com"],
    ["CORS_ORIGINS", "*"],
    ["CORS_ORIGINS", "https://app.example.com/path"],
    ["CORS_ORIGINS", "app.example.com"],
    ["PUBLIC_URL", "ftp://example.com"],
  ])("%s=%s is refused", (name, text) => {
    expect(() => resolve({ [name]: text })).toThrow(`${name} must be`);
  });
});

const networkOf = (text: string) => {
  const address = parseIpAddress(text);
  return address === undefined ? undefined : clientNetworkOf(address);
};

describe("a client's network", () => {
  test.each([
    ["192.0.2.7", { site: "192.0.2.0/24" }],
    ["2001:db8:1:2fe::/64", { household: "2001:db8:1:200::/56", site: "2001:db8:1::/48" }],
    ["0:0:0:0::/64", { household: "0:0:0:0::/56", site: "0:0:0::/48" }],
    ["unknown", {}],
  ])("%s is in its household and site", (client, around) => {
    expect(networksAround(client)).toEqual(around);
  });

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
