import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { parseIpNetwork } from "../../src/core/http/client-address.ts";
import { openHttpServer } from "../../src/core/http/server.ts";
import { silentLog } from "../../src/core/log.ts";
import { findEngine } from "../../support/engines.ts";
import { openDevProcess } from "../support/dev-process.ts";
import { openNginx } from "../support/nginx.ts";
import { openEmbeddedWorld } from "../support/sign-in-world.ts";
import { openBrowser, visit } from "../support/visitor.ts";

const program = findEngine("instant") ?? "";
const chromium = findEngine("chromium") ?? "";
const nginx = findEngine("nginx") ?? "";
const complete = [program, chromium, nginx].every((engine) => engine !== "");
const token = "Zk3nQ8vT1xYb6LrW0pJd";
const named = (url: string) => url.replace("localhost", "sign-in.example.test");

/** serve-auth as in production, where cookies are Secure, behind nginx with these headers. */
async function openSite(headers: Parameters<typeof openNginx>[0]["headers"]) {
  const stack = new AsyncDisposableStack();
  let world = stack.use(await openEmbeddedWorld());
  const server = stack.use(
    openHttpServer({
      fetch: (request, bindings) => world.app.fetch(request, bindings),
      hostname: "127.0.0.1",
      port: 0,
      log: silentLog,
    }),
  );
  await server.start();
  const proxy = stack.use(await openNginx({ service: server.url, headers }));
  const [url, plainUrl] = [named(proxy.url), named(proxy.plainUrl)];
  const trustedProxies = [parseIpNetwork("127.0.0.1")].filter((found) => found !== undefined);
  const boundary = { trustedProxies, corsOrigins: [], publicOrigin: url };
  world = world.restart({ secureCookies: true, boundary });
  const { publisher } = world;
  return { publisher, url, plainUrl, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

describe.skipIf(!complete)("behind nginx with TLS, a browser", () => {
  const stack = new AsyncDisposableStack();
  let browser: Browser;
  beforeAll(async () => {
    browser = stack.use(await openBrowser(chromium));
  });
  afterAll(() => stack.disposeAsync());
  const tls = { ignoreHTTPSErrors: true };

  for (const scripts of [true, false]) {
    const how = scripts ? "with a script" : "without a script";

    test.each(["bare", "usual", "forwarded"] as const)(
      `signs in ${how}, with %s headers`,
      async (headers) => {
        await using site = await openSite(headers);
        await visit(browser, { ...tls, scripts }, async ({ page }) => {
          await page.goto(`${site.url}/`);
          await page.getByLabel("E-mail address").fill("ana@example.com");
          await page.getByRole("button", { name: "Send me a code" }).click();
          await page.getByLabel("Six-digit code").waitFor();
          await page.getByLabel("Six-digit code").fill(site.publisher.code);
          if (!scripts) await page.getByRole("button", { name: "Sign in" }).click();
          await page.getByRole("heading", { name: "Your account", exact: true }).waitFor();
        });
      },
    );

    test.each(["bare", "usual", "forwarded"] as const)(
      `that came by plain http is told so ${how}, with %s headers, and led to https`,
      async (headers) => {
        await using site = await openSite(headers);
        const mayComplain = /status of 403|Cross-Origin-Opener-Policy header has been ignored/;
        await visit(browser, { ...tls, scripts, mayComplain }, async (visitor) => {
          const { page } = visitor;
          await page.goto(`${site.plainUrl}/`);
          if (headers === "bare") {
            // Only a form shows the service how its page was opened.
            await page.getByLabel("E-mail address").fill("ana@example.com");
            await page.getByRole("button", { name: "Send me a code" }).click();
          }
          await page.getByRole("heading", { name: "Open this page with https" }).waitFor();
          expect(await page.textContent("main")).not.toContain("blocks cookies");
          expect(site.publisher.events).toEqual([]);
          if (headers === "usual") await visitor.checkPage("insecure");
          await page.getByRole("link", { name: "Open it with https" }).click();
          await page.getByLabel("E-mail address").waitFor();
          expect(page.url()).toBe(`${site.url}/`);
        });
      },
    );
  }

  test("sees the pages for operators after the login, which keeps a cookie for https alone", async () => {
    const environment = { OPS_TOKEN: token, TRUSTED_PROXIES: "127.0.0.1" };
    await using dev = await openDevProcess(program, environment);
    await using proxy = await openNginx({ service: dev.emailUrl, headers: "usual" });
    await visit(browser, { ...tls, mayComplain: /401/ }, async ({ page, context }) => {
      await page.goto(`${proxy.url}/inbox`);
      await page.getByLabel("Token").fill("something else");
      await page.keyboard.press("Enter");
      await page.getByText("Wrong token").waitFor();
      await page.getByLabel("Token").fill(token);
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "Dashboard" }).waitFor();
      const [cookie] = await context.cookies(proxy.url);
      expect(cookie).toMatchObject({ name: "__Host-ops_session", secure: true, httpOnly: true });
      await page.getByRole("link", { name: "Inbox" }).click();
      await dev.requestCode("ana@example.com");
      await page.getByRole("link", { name: /ana@example.com/ }).waitFor();
    });
  });

  test("without a token is not shown the inbox, and is told what opens it", async () => {
    await using dev = await openDevProcess(program);
    await using proxy = await openNginx({ service: dev.emailUrl, headers: "bare" });
    await visit(browser, { ...tls, mayComplain: /403/ }, async ({ page, checkPage: look }) => {
      const answer = await page.goto(`${proxy.url}/inbox`);
      expect(answer?.status()).toBe(403);
      await page.getByText("Without OPS_TOKEN").waitFor();
      expect(await page.getByRole("link", { name: "Dashboard" }).count()).toBe(0);
      await look("ops-elsewhere");
    });
  });
});
