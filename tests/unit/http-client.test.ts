import { describe, expect, test } from "bun:test";
import type { ConfigProblem } from "../../src/core/config.ts";
import { parseConfig } from "../../src/core/config.ts";
import { createHttpApp } from "../../src/core/http/app.ts";
import { httpFields, resolveHttp } from "../../src/core/http/server.ts";
import { silentLog } from "../../src/core/log.ts";

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

describe("the settings", () => {
  test("by default no proxy and no other origin is trusted", () => {
    expect(resolve({})).toEqual({
      boundary: { trustedProxies: [], corsOrigins: [], publicOrigin: undefined },
      names: [],
    });
  });

  test.each([
    ["TRUSTED_PROXIES", "10.0.0.0/33"],
    ["TRUSTED_PROXIES", "10.0.0.1, 1.2.3"],
    ["PUBLIC_URL", "https://example.com/sign-in"],
  ])("%s=%s is a problem", (name, text) => {
    expect(resolve({ [name]: text }).names).toEqual([name]);
  });

  test.each([
    ["TRUSTED_PROXIES", "proxy.example.com"],
    ["CORS_ORIGINS", "*"],
    ["CORS_ORIGINS", "https://app.example.com/"],
    ["CORS_ORIGINS", "app.example.com"],
    ["PUBLIC_URL", "ftp://example.com"],
  ])("%s=%s is refused", (name, text) => {
    expect(() => resolve({ [name]: text })).toThrow(`${name} must be`);
  });
});
