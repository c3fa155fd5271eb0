import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { coreErrors, InstantError } from "../../src/core/errors.ts";
import { openHttpServer } from "../../src/core/http/server.ts";
import { silentLog } from "../../src/core/log.ts";
import { findEngine } from "../../support/engines.ts";
import type { SignInWorld } from "../support/sign-in-world.ts";
import { openEmbeddedWorld } from "../support/sign-in-world.ts";
import type { Visitor } from "../support/visitor.ts";
import { openBrowser, visit } from "../support/visitor.ts";

const chromium = findEngine("chromium") ?? "";

describe.skipIf(chromium === "")("what a browser is shown", () => {
  const stack = new AsyncDisposableStack();
  let world: SignInWorld;
  let browser: Browser;
  let url = "";
  let storeState: StoreState = "here";
  beforeAll(async () => {
    const plain = stack.use(await openEmbeddedWorld());
    const sessions = unavailableStore(plain.stores.sessions, () => storeState);
    world = plain.restart({ sessions });
    const { fetch } = world.app;
    const server = openHttpServer({ fetch, hostname: "127.0.0.1", port: 0, log: silentLog });
    await server.start();
    stack.use(server);
    url = server.url;
    browser = stack.use(await openBrowser(chromium));
  });
  afterAll(() => stack.disposeAsync());

  async function signIn({ page, context }: Visitor, email: string): Promise<void> {
    const { token } = await world.signIn(email);
    await context.addCookies([{ name: "session_id", value: token, url }]);
    await page.goto(`${url}/account`);
  }

  test.each([
    ["where there is nothing", "/nowhere", 404],
    ["where only a form leads", "/sign-out", 405],
  ])("%s is a page that leads to the first one", async (_, path, status) => {
    await visit(browser, { mayComplain: /status of 40[45]/ }, async ({ page, checkPage: look }) => {
      const answer = await page.goto(url + path);
      expect(answer?.status()).toBe(status);
      await look(`problem-${status}`);
      await page.getByRole("link", { name: "Go to the start page" }).click();
      await page.getByRole("heading", { name: "Sign in" }).waitFor();
    });
  });

  test("while a store is unavailable is a page to try again from, and then the page itself", async () => {
    await visit(browser, { mayComplain: /status of 503/ }, async (visitor) => {
      const { page, checkPage: look } = visitor;
      await signIn(visitor, "away@example.com");
      storeState = "unavailable";
      for (const path of ["/account", "/"]) {
        const answer = await page.goto(url + path);
        expect(answer?.status()).toBe(503);
        expect(answer?.headers()["retry-after"]).toBe("5");
        await page.getByRole("heading", { name: "Back in a moment" }).waitFor();
      }
      await look("problem-503");
      storeState = "here";
      await page.getByRole("link", { name: "Try again" }).click();
      await page.getByRole("heading", { name: "Your account", exact: true }).waitFor();
    });
  });

  test("after a form that met an unavailable store is a notice, once the page is back", async () => {
    await visit(browser, { mayComplain: /status of 503/ }, async (visitor) => {
      const { page } = visitor;
      await signIn(visitor, "notice@example.com");
      storeState = "unavailable";
      await page.getByRole("button", { name: "Sign out", exact: true }).click();
      await page.getByRole("heading", { name: "Back in a moment" }).waitFor();
      storeState = "here";
      await page.getByRole("link", { name: "Try again" }).click();
      await page.getByText("Something on our side is unavailable.").waitFor();
    });
  });

  test("when the program fails is a number to report, and no word of the fault", async () => {
    await visit(browser, { mayComplain: /status of 500/ }, async (visitor) => {
      const { page, checkPage: look } = visitor;
      await signIn(visitor, "fault@example.com");
      storeState = "faulty";
      const answer = await page.goto(`${url}/account`);
      storeState = "here";
      expect(answer?.status()).toBe(500);
      expect(await page.textContent("main")).not.toContain("a fault of the test's own");
      const reference = await page.textContent("main code");
      expect(reference).toBe(answer?.headers()["x-request-id"] ?? "");
      await look("problem-500");
    });
  });

  test("after a form on another site is a refusal, and nothing was done", async () => {
    await visit(browser, { mayComplain: /status of 403/ }, async (visitor) => {
      const { page, checkPage: look } = visitor;
      await signIn(visitor, "lured@example.com");
      const form = `<form method="post" action="${url}/sign-out"><button>Win</button></form>`;
      await page.route("http://elsewhere.example/", (route) =>
        route.fulfill({ contentType: "text/html", body: form }),
      );
      await page.goto("http://elsewhere.example/");
      const answer = page.waitForResponse(`${url}/sign-out`);
      await page.getByRole("button", { name: "Win" }).click();
      expect((await answer).status()).toBe(403);
      await page.getByRole("heading", { name: "Form not accepted" }).waitFor();
      await look("problem-403");
      await page.getByRole("link", { name: "Open the page" }).click();
      await page.getByRole("heading", { name: "Your account", exact: true }).waitFor();
    });
  });

  test("when the server cannot be reached is said above the form, which can be sent again", async () => {
    await visit(browser, { mayComplain: /ERR_INTERNET_DISCONNECTED/ }, async (visitor) => {
      const { page, context, checkPage: look } = visitor;
      await page.goto(url);
      await page.getByLabel("E-mail address").fill("offline@example.com");
      await context.setOffline(true);
      await page.getByRole("button", { name: "Send me a code" }).click();
      await page.getByText("That did not get through").waitFor();
      await look("offline");
      await context.setOffline(false);
      await page.getByRole("button", { name: "Send me a code" }).click();
      await page.getByRole("heading", { name: "Check your mail" }).waitFor();
    });
  });
});

type StoreState = "here" | "unavailable" | "faulty";

/** A store whose every call fails while it is unavailable, as when its server is down, or faulty. */
function unavailableStore<T extends object>(store: T, state: () => StoreState): T {
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (...parameters: unknown[]) => {
        if (state() === "unavailable") {
          return Promise.reject(new InstantError(coreErrors.redisUnavailable));
        }
        if (state() === "faulty") return Promise.reject(new Error("a fault of the test's own"));
        return Reflect.apply(value, target, parameters);
      };
    },
  });
}
