import { describe, expect, test } from "bun:test";
import { createHttpApp } from "../../src/core/http/app.ts";
import { parseIpNetwork } from "../../src/core/http/client-address.ts";
import { createLog } from "../../src/core/log.ts";
import { LoginAttempts } from "../../src/email/login-attempts.ts";
import { operatorsOnly } from "../../src/email/ops/access.ts";
import { addSiteLogin } from "../../src/email/ops/site-routes.tsx";
import { FakeClock } from "../support/fake-clock.ts";

const token = "a token for the operators";
const origin = "http://ops.example.com";

/** The guard before one route, called from elsewhere or from this machine. */
function openGuard(given: string | undefined, { loopback = true, proxies = "" } = {}) {
  const clock = new FakeClock();
  const lines: string[] = [];
  const log = createLog({ service: "t", level: "info", write: (line) => lines.push(line) });
  const access = { token: given, loopback, attempts: new LoginAttempts(clock), clock };
  const trustedProxies = [parseIpNetwork(proxies)].filter((network) => network !== undefined);
  const app = createHttpApp({ log, trustedProxies });
  app.use("/page", operatorsOnly(access));
  app.all("/page", (context) => context.text("secret"));
  const site = { appName: "Acme", hasInbox: false, hasLogin: given !== undefined };
  addSiteLogin(app, { access, site, log });
  const ask = (path: string, init: RequestInit = {}, from = "192.0.2.7", base = origin) =>
    app.fetch(
      new Request(`${base}${path}`, {
        ...init,
        headers: { Host: new URL(base).host, ...(init.headers as Record<string, string>) },
      }),
      { clientAddress: from },
    );
  const login = (typed: string, from?: string) =>
    ask(
      "/login",
      { method: "POST", headers: { Origin: origin }, body: new URLSearchParams({ token: typed }) },
      from,
    );
  return { ask, login, clock, lines };
}

describe("the pages for operators without a token", () => {
  test("are shown to this machine under a loopback name, and to nobody else", async () => {
    const { ask } = openGuard(undefined);
    const local = "http://127.0.0.1:8085";
    expect((await ask("/page", {}, "127.0.0.1", local)).status).toBe(200);
    expect((await ask("/page", {}, "127.0.0.1", "http://evil.example")).status).toBe(403);
    expect((await ask("/page", {}, "192.0.2.7", local)).status).toBe(403);
  });

  test.each([
    ["Forwarded", "for=203.0.113.7"],
    ["X-Forwarded-For", "203.0.113.7"],
    ["X-Forwarded-Host", "ops.example.com"],
    ["X-Forwarded-Proto", "https"],
    ["X-Real-IP", "203.0.113.7"],
    ["Via", "1.1 proxy"],
    ["Connection", "close"], // all that nginx adds by itself
    ["Connection", "upgrade"],
  ])("are not shown through a proxy that sends %s: %s", async (name, value) => {
    const { ask } = openGuard(undefined);
    const local = "http://127.0.0.1:8085";
    const answer = await ask("/page", { headers: { [name]: value } }, "127.0.0.1", local);
    expect(answer.status).toBe(403);
    expect(await answer.text()).toContain("Without OPS_TOKEN");
  });

  test("are closed in production, to this machine too, without a login that cannot succeed", async () => {
    const { ask, login } = openGuard(undefined, { loopback: false });
    const local = "http://127.0.0.1:8085";
    const answers = [
      await ask("/page", {}, "127.0.0.1", local),
      await ask("/page", { method: "POST", headers: { Origin: local } }, "127.0.0.1", local),
      await ask("/login", { headers: { Accept: "text/html" } }),
      await login("any token"),
    ];
    for (const answer of answers) {
      expect(answer.status).toBe(404);
      expect(await answer.text()).toContain("closed, because OPS_TOKEN is not set");
    }
  });

  test("take no form of another site's page", async () => {
    const { ask } = openGuard(undefined);
    const local = "http://127.0.0.1:8085";
    const send = (headers: Record<string, string>) =>
      ask("/page", { method: "POST", headers }, "127.0.0.1", local);
    expect((await send({ Origin: "http://evil.example" })).status).toBe(403);
    expect((await send({})).status).toBe(403);
    expect((await send({ Origin: local })).status).toBe(200);
  });
});

describe("the pages for operators with a token", () => {
  test("lead a browser to the login, and tell a program that it needs the token", async () => {
    const { ask } = openGuard(token);
    const page = await ask("/page", { headers: { Accept: "text/html" } });
    expect([page.status, page.headers.get("Location")]).toEqual([303, "/login"]);
    expect((await ask("/page", {}, "127.0.0.1")).status).toBe(401);
    const bearer = (value: string) => ask("/page", { headers: { Authorization: value } });
    expect((await bearer(`Bearer ${token.replaceAll(" ", "_")}`)).status).toBe(401);
  });

  test("open with the token as Bearer, without a cookie and a same origin", async () => {
    const spaceless = token.replaceAll(" ", "-");
    const { ask } = openGuard(spaceless);
    const headers = { Authorization: `Bearer ${spaceless}` };
    expect((await ask("/page", { method: "POST", headers })).status).toBe(200);
  });

  test("give a cookie that no script, no other site and no later day can use", async () => {
    const { ask, login, clock } = openGuard(token);
    const answer = await login(token);
    const cookie = answer.headers.get("Set-Cookie") ?? "";
    expect([answer.status, answer.headers.get("Location")]).toEqual([303, "/"]);
    expect(cookie).toMatch(/^ops_session=.+; Max-Age=43200; Path=\/; HttpOnly; SameSite=Strict$/);
    expect(cookie).not.toContain(token);
    const [pair = ""] = cookie.split(";");
    const headers = { Cookie: pair };
    expect((await ask("/page", { headers })).status).toBe(200);
    expect((await ask("/page", { method: "POST", headers })).status).toBe(403);
    const forged = { Cookie: pair.replace(/=\w+/, (text) => `${text}0`) };
    expect((await ask("/page", { headers: forged })).status).toBe(401);
    await clock.advance(12 * 3_600_000);
    expect((await ask("/page", { headers })).status).toBe(401);
  });

  test("give a cookie that is Secure and of this host behind a proxy that ends https", async () => {
    const { ask } = openGuard(token);
    const https = { "X-Forwarded-Proto": "https" };
    const answer = await ask("/login", {
      method: "POST",
      headers: { Origin: origin, ...https },
      body: new URLSearchParams({ token }),
    });
    const cookie = answer.headers.get("Set-Cookie") ?? "";
    expect(cookie).toMatch(/^__Host-ops_session=.+; Path=\/; HttpOnly; Secure; SameSite=Strict$/);
    const [pair = ""] = cookie.split(";");
    expect((await ask("/page", { headers: { Cookie: pair, ...https } })).status).toBe(200);
    const plain = pair.replace("__Host-", ""); // of the release before
    expect((await ask("/page", { headers: { Cookie: plain, ...https } })).status).toBe(200);
  });

  test("stay open beside a cookie of the same name that a neighbour set", async () => {
    const { ask, login } = openGuard(token);
    const [pair = ""] = (await login(token)).headers.get("Set-Cookie")?.split(";") ?? [];
    for (const sent of [`ops_session=x; ${pair}`, `${pair}; ops_session=x.y.z`]) {
      expect((await ask("/page", { headers: { Cookie: sent } })).status).toBe(200);
    }
  });

  test("take no Basic login of a browser for a reason to skip the check of the origin", async () => {
    const { ask, login } = openGuard(token);
    const [pair = ""] = (await login(token)).headers.get("Set-Cookie")?.split(";") ?? [];
    const headers = {
      Cookie: pair,
      Authorization: "Basic dXNlcjpwYXNz",
      Origin: "https://x.example",
    };
    expect((await ask("/page", { method: "POST", headers })).status).toBe(403);
  });

  test("listen to no client after ten wrong tokens, to others, and again after a while", async () => {
    const { login, clock, lines } = openGuard(token);
    for (let tries = 0; tries < 10; tries += 1) expect((await login("wrong")).status).toBe(401);
    const locked = await login(token);
    expect(locked.status).toBe(429);
    expect(await locked.text()).toContain("Try again in 15 min");
    expect((await login(token, "198.51.100.9")).status).toBe(303);
    await clock.advance(15 * 60_000);
    expect((await login(token)).status).toBe(303);
    expect(lines.join("")).not.toMatch(/wrong"|a token for/);
  });

  test("after a hundred wrong tokens from everywhere still listen to a client that sent none", async () => {
    const { login } = openGuard(token);
    for (let tries = 0; tries < 100; tries += 1) await login("wrong", `192.0.2.${tries}`);
    expect((await login(token, "192.0.2.7")).status).toBe(429);
    expect((await login("wrong", "198.51.100.9")).status).toBe(401);
    expect((await login(token, "198.51.100.9")).status).toBe(429);
    expect((await login(token, "198.51.100.10")).status).toBe(303);
  });

  test("count the wrong tokens of each client behind our proxy apart", async () => {
    const { ask } = openGuard(token, { proxies: "10.0.0.0/8" });
    const send = async (client: string, typed: string) => {
      const headers = { Origin: origin, "X-Forwarded-For": client };
      const body = new URLSearchParams({ token: typed });
      return (await ask("/login", { method: "POST", headers, body }, "10.0.0.1")).status;
    };
    for (let tries = 0; tries < 10; tries += 1) await send("203.0.113.7", "wrong");
    expect(await send("203.0.113.7", token)).toBe(429);
    expect(await send("198.51.100.9", token)).toBe(303);
  });
});
