import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { openHttpServer } from "../../src/core/http/server.ts";
import { silentLog } from "../../src/core/log.ts";
import { findEngine } from "../../support/engines.ts";
import { openNginx } from "../support/nginx.ts";
import type { SignInWorld } from "../support/sign-in-world.ts";
import { openEmbeddedWorld } from "../support/sign-in-world.ts";
import type { Visitor } from "../support/visitor.ts";
import { openBrowser, visit } from "../support/visitor.ts";

const chromium = findEngine("chromium") ?? "";
const nginx = findEngine("nginx") ?? "";

/** As in production, behind a proxy with TLS, on one host of a domain that has others. */
describe.skipIf(chromium === "" || nginx === "")("on a host with neighbours, a browser", () => {
  const stack = new AsyncDisposableStack();
  let world: SignInWorld;
  let browser: Browser;
  let url = "";
  beforeAll(async () => {
    world = stack.use(await openEmbeddedWorld({ secureCookies: true }));
    const { fetch } = world.app;
    const server = openHttpServer({ fetch, hostname: "127.0.0.1", port: 0, log: silentLog });
    await server.start();
    stack.use(server);
    const proxy = stack.use(await openNginx({ service: server.url, headers: "usual" }));
    url = `https://id.acme.test:${new URL(proxy.url).port}`;
    browser = stack.use(await openBrowser(chromium));
  });
  afterAll(() => stack.disposeAsync());

  async function signIn({ page }: Visitor, email: string): Promise<void> {
    await page.goto(url);
    await page.getByLabel("E-mail address").fill(email);
    await page.getByRole("button", { name: "Send me a code" }).click();
    await page.getByRole("heading", { name: "Check your mail" }).waitFor();
    await page.getByLabel("Six-digit code").pressSequentially(world.publisher.code);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Your account", exact: true }).waitFor();
  }

  /** A page of another host of the domain sets these cookies. */
  async function visitNeighbour({ page }: Visitor, cookies: readonly string[]): Promise<void> {
    const neighbour = "https://shop.acme.test/";
    await page.route(neighbour, (route) =>
      route.fulfill({
        headers: { "Content-Type": "text/html", "Set-Cookie": cookies.join("\n") },
        body: "<title>Shop</title>",
      }),
    );
    await page.goto(neighbour);
  }

  describe.each([
    ["with scripts", true],
    ["without scripts", false],
  ])("%s", (_, scripts) => {
    const options = { scripts, ignoreHTTPSErrors: true };

    test("stays signed in as who it is, whatever cookie a neighbour sets", async () => {
      const email = `ana-${scripts}@example.com`;
      const { token: theirs } = await world.signIn("evil@example.com");
      await visit(browser, options, async (visitor) => {
        const { page, context } = visitor;
        await signIn(visitor, email);
        await visitNeighbour(visitor, [
          `session_id=${theirs}; Domain=acme.test; Path=/account; Secure`,
          `session_id=${theirs}; Domain=acme.test; Path=/; Secure`,
          "session_id=junk; Domain=acme.test; Path=/sign-in; Secure",
          `__Host-session_id=${theirs}; Domain=acme.test; Path=/account; Secure`,
          `__Host-session_id=${theirs}; Path=/account; Secure`,
          `__Host-session_id=${theirs}; Path=/; Secure`,
        ]);
        const cookies = await context.cookies(`${url}/account`);
        expect(cookies.map(({ name }) => name).toSorted()).toEqual([
          "__Host-known_device",
          "__Host-session_id",
          "session_id",
          "session_id",
        ]);
        expect(cookies.find(({ name }) => name === "__Host-session_id")).toMatchObject({
          domain: "id.acme.test",
          path: "/",
          secure: true,
          httpOnly: true,
          sameSite: "Lax",
        });
        await page.goto(`${url}/account`);
        expect(await page.textContent(".identity .address")).toBe(email);
      });
    });

    test("can sign in while a neighbour's cookies are in the way", async () => {
      const email = `ben-${scripts}@example.com`;
      await visit(browser, options, async (visitor) => {
        const { page } = visitor;
        const names = ["session_id", "page_code", "page_flash"];
        await visitNeighbour(
          visitor,
          ["/", "/account", "/sign-in", "/sign-in/code"].flatMap((path) =>
            names.map(
              (name) => `${name}=${"x".repeat(43)}; Domain=acme.test; Path=${path}; Secure`,
            ),
          ),
        );
        await signIn(visitor, email);
        expect(await page.textContent(".identity .address")).toBe(email);
        await page.getByRole("button", { name: "Sign out", exact: true }).click();
        await page.getByText("You are signed out.").waitFor();
        await page.goto(`${url}/account`);
        await page.getByRole("heading", { name: "Sign in" }).waitFor();
      });
    });

    test("verifies in each of two tabs the address that the tab asked for", async () => {
      const [first, second] = [`tab1-${scripts}@example.com`, `tab2-${scripts}@example.com`];
      await visit(browser, options, async ({ page, context }) => {
        const other = await context.newPage();
        const codes = new Map<typeof page, string>();
        for (const [tab, email] of [
          [page, first],
          [other, second],
        ] as const) {
          await tab.goto(url);
          await tab.getByLabel("E-mail address").fill(email);
          await tab.getByRole("button", { name: "Send me a code" }).click();
          await tab.getByText(email).waitFor();
          codes.set(tab, world.publisher.code);
        }
        for (const [tab, email] of [
          [page, first],
          [other, second],
        ] as const) {
          await tab.getByLabel("Six-digit code").pressSequentially(codes.get(tab) ?? "");
          await tab.getByRole("button", { name: "Sign in" }).click();
          await tab.getByRole("heading", { name: "Your account", exact: true }).waitFor();
          expect(await tab.textContent(".identity .address")).toBe(email);
        }
        await page.getByLabel("Your username").fill("tab.one"); // a tab of the first account
        await page.getByRole("button", { name: "Save" }).click();
        await page.getByText("that page was open for another account").waitFor();
        expect(await page.textContent(".identity .address")).toBe(second);
        expect(await page.getByLabel("Your username").inputValue()).toBe("");
        await other.close();
      });
    });
  });
});
