import { describe, expect, test } from "bun:test";
import { parseConfig } from "../../src/core/config.ts";
import { createHttpApp } from "../../src/core/http/app.ts";
import { checkHttp, httpFields, resolveHttp } from "../../src/core/http/server.ts";
import { silentLog } from "../../src/core/log.ts";

const parse = (environment: Record<string, string>) =>
  parseConfig({ http: httpFields }, environment).http;

/** Whom the app counts, with the proxies that are set. */
async function clientOf(
  connection: string | undefined,
  forwarded: string | undefined,
  proxies = "10.0.0.0/8,2001:db8:ffff::/48",
): Promise<string> {
  const { trustedProxies } = resolveHttp(parse({ TRUSTED_PROXIES: proxies }));
  const app = createHttpApp({ log: silentLog, trustedProxies });
  app.get("/client", (context) => context.text(context.get("client")));
  const headers = forwarded === undefined ? {} : { "X-Forwarded-For": forwarded };
  const answer = await app.request("/client", { headers }, { clientAddress: connection });
  return answer.text();
}

describe("who counts as the client", () => {
  test.each([
    ["no proxy of ours: who connects", "203.0.113.5", undefined, "203.0.113.5"],
    ["what a stranger says of others", "203.0.113.5", "192.0.2.1", "203.0.113.5"],
    ["behind our proxy: its last hop", "10.0.0.1", "192.0.2.1", "192.0.2.1"],
    ["behind two of ours", "10.0.0.1", "192.0.2.1, 10.9.9.9", "192.0.2.1"],
    ["left of the last stranger it is made up", "10.0.0.1", "1.1.1.1, 192.0.2.1", "192.0.2.1"],
    ["a made-up hop of ours does not help", "10.0.0.1", "10.0.0.2, 192.0.2.1", "192.0.2.1"],
    ["our proxy itself", "10.0.0.1", undefined, "10.0.0.1"],
    ["none but ours", "10.0.0.1", "10.0.0.3", "10.0.0.3"],
    ["nonsense: the proxy that wrote it", "10.0.0.1", "192.0.2.1, unknown", "10.0.0.1"],
    ["with ports", "10.0.0.1", "192.0.2.1:4711", "192.0.2.1"],
    ["IPv6 with a port", "10.0.0.1", "[2001:db8::1]:4711", "2001:db8:0:0::/64"],
    ["IPv6 counts per /64", "2001:db8:1:2:aaaa::1", undefined, "2001:db8:1:2::/64"],
    ["our IPv6 proxy", "2001:db8:ffff::1", "192.0.2.1", "192.0.2.1"],
    ["IPv4 on an IPv6 socket", "::ffff:10.0.0.1", "192.0.2.1", "192.0.2.1"],
    ["a connection that is gone", undefined, "192.0.2.1", "unknown"],
  ])("%s", async (_, connection, forwarded, client) => {
    expect(await clientOf(connection, forwarded)).toBe(client);
  });

  test("a thousand made-up hops cost no more than twenty", async () => {
    const forwarded = Array.from({ length: 1000 }, () => "10.0.0.2").join(",");
    expect(await clientOf("10.0.0.1", `192.0.2.1,${forwarded}`)).toBe("10.0.0.2");
  });
});

describe("the settings", () => {
  test("without them nobody is believed and no other origin is known", () => {
    const values = parse({});
    expect(checkHttp(values)).toEqual([]);
    expect(resolveHttp(values)).toEqual({
      trustedProxies: [],
      corsOrigins: [],
      publicOrigin: undefined,
    });
  });

  test.each([
    ["TRUSTED_PROXIES", "10.0.0.0/33"],
    ["TRUSTED_PROXIES", "10.0.0.1, 1.2.3"],
    ["PUBLIC_URL", "https://example.com/sign-in"],
  ])("%s=%s is a problem", (name, text) => {
    expect(checkHttp(parse({ [name]: text })).map((problem) => problem.name)).toEqual([name]);
  });

  test.each([
    ["TRUSTED_PROXIES", "proxy.example.com"],
    ["CORS_ORIGINS", "*"],
    ["CORS_ORIGINS", "https://app.example.com/"],
    ["CORS_ORIGINS", "app.example.com"],
    ["PUBLIC_URL", "ftp://example.com"],
  ])("%s=%s is refused", (name, text) => {
    expect(() => parse({ [name]: text })).toThrow(`${name} must be`);
  });
});
