import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import type { DevProcess } from "../support/dev-process.ts";
import type { SignInSite } from "../support/sign-in-site.ts";
import {
  enterCode,
  expectAccount,
  expectText,
  openSignInDev,
  openSignInSite,
  requestCode,
  send,
} from "../support/sign-in-site.ts";
import { visit } from "../support/visitor.ts";

const program = findEngine("instant") ?? "";
const chromium = findEngine("chromium") ?? "";
const otherThan = (code: string) => (code === "999999" ? "999998" : "999999");

describe.skipIf(program === "" || chromium === "")("the pages of sign-in", () => {
  let site: SignInSite;
  /** Where asking again gives a new code at once. */
  let quick: DevProcess;
  beforeAll(async () => {
    site = await openSignInSite({ program, chromium });
    quick = await openSignInDev(program, { AUTH_CODE_REPEAT_WINDOW: "0s" });
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await quick[Symbol.asyncDispose]();
  });

  describe.each([
    ["with scripts", true],
    ["without scripts", false],
  ])("%s", (_, scripts) => {
    const addressOf = (name: string) => `${name}-${scripts ? "live" : "plain"}@example.com`;

    test("makes an account, and leads back to it after signing out", async () => {
      const email = addressOf("ana");
      await visit(site.browser, { scripts }, async (visitor) => {
        const { page, context, checkPage: look } = visitor;
        await page.goto(site.dev.authUrl);
        await look("sign-in");
        const code = await requestCode(visitor, site.dev, email);
        await look("code");
        expect(await page.textContent("main")).toContain(email);
        await enterCode(visitor, code, "Sign in");
        await expectAccount(visitor);
        await look("account");
        const cookie = (await context.cookies()).find(({ name }) => name === "session_id");
        expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Lax", path: "/" });
        await page.goto(site.dev.authUrl); // who is signed in has no use for the first page
        expect(new URL(page.url()).pathname).toBe("/account");
        await send(visitor, "Sign out");
        await expectText(visitor, "You are signed out.");
        await look("signed-out");
        await page.goto(`${site.dev.authUrl}/account`);
        expect(new URL(page.url()).pathname).toBe("/");
      });
    });

    test("says what is wrong with an address, and keeps it to be corrected", async () => {
      await visit(site.browser, { scripts }, async (visitor) => {
        const { page, checkPage: look } = visitor;
        await page.goto(site.dev.authUrl);
        await page.getByLabel("E-mail address").fill("ana@example");
        await send(visitor, "Send me a code");
        await expectText(visitor, "That is not an e-mail address.");
        expect(await page.getByLabel("E-mail address").inputValue()).toBe("ana@example");
        expect(await page.getByLabel("E-mail address").getAttribute("aria-invalid")).toBe("true");
        await look("sign-in-mistake");
      });
    });

    test("counts wrong codes, then says how long the address is locked", async () => {
      const email = addressOf("locked");
      await visit(site.browser, { scripts }, async (visitor) => {
        const { page, checkPage: look } = visitor;
        const code = await requestCode(visitor, site.dev, email);
        await enterCode(visitor, "123", "Sign in");
        await expectText(visitor, "The code has six digits.");
        for (let wrong = 1; wrong <= 4; wrong += 1) {
          await enterCode(visitor, otherThan(code), "Sign in");
          await expectText(visitor, "That code is wrong");
          if (wrong === 1) await look("wrong-code");
        }
        await enterCode(visitor, otherThan(code), "Sign in");
        await page.getByRole("heading", { name: "Too many wrong codes" }).waitFor();
        expect(await page.textContent("main")).toContain("for the next 15 minutes");
        expect(await page.getByLabel("Six-digit code").count()).toBe(0);
        await look("locked");
        await page.reload();
        await page.getByRole("heading", { name: "Too many wrong codes" }).waitFor();
      });
    });

    test("says where to begin when the browser forgot whom the code is for", async () => {
      await visit(site.browser, { scripts }, async ({ page, checkPage: look }) => {
        await page.goto(`${site.dev.authUrl}/sign-in/code`);
        await page.getByRole("heading", { name: "Start again" }).waitFor();
        await look("lost");
        await page.getByRole("link", { name: "Start again" }).click();
        await page.getByLabel("E-mail address").waitFor();
      });
    });

    test("sends a new code when asked again, and the earlier stays good", async () => {
      const email = addressOf("again");
      await visit(site.browser, { scripts }, async (visitor) => {
        const first = await requestCode(visitor, quick, email);
        const second = await quick.codeAfter(email, async () => {
          await send(visitor, "Send a new code");
          await expectText(visitor, "A new code is on its way");
        });
        expect(second).not.toBe(first);
        await visitor.checkPage("sent-again");
        await enterCode(visitor, first, "Sign in");
        await expectAccount(visitor);
      });
    });

    test("says when an address has had its codes, and takes those it has", async () => {
      const email = addressOf("greedy");
      await visit(site.browser, { scripts }, async (visitor) => {
        const { page } = visitor;
        const code = await requestCode(visitor, quick, email);
        for (let more = 0; more < 4; more += 1) {
          await quick.codeAfter(email, async () => {
            await send(visitor, "Send a new code");
            await expectText(visitor, "A new code is on its way");
          });
        }
        await page.goto(quick.authUrl);
        await send(visitor, "Send me a code");
        await expectText(visitor, /too many codes to this address. Request one in \d\d minutes/);
        await visitor.checkPage("codes-spent");
        await enterCode(visitor, code, "Sign in");
        await expectAccount(visitor);
      });
    });
  });

  test("asking again too early says that the code is on its way", async () => {
    await visit(site.browser, { scripts: false }, async (visitor) => {
      const code = await requestCode(visitor, site.dev, "early@example.com");
      await send(visitor, "Send a new code");
      await expectText(visitor, "The code is already on its way");
      await visitor.checkPage("sent-already");
      await enterCode(visitor, code, "Sign in");
      await expectAccount(visitor);
    });
  });

  test("asking again is offered with scripts once the minute is over", async () => {
    await visit(site.browser, {}, async (visitor) => {
      const { page } = visitor;
      await page.clock.install();
      await requestCode(visitor, site.dev, "patient@example.com");
      const again = page.getByRole("button", { name: "Send a new code" });
      expect(await again.isVisible()).toBe(false);
      expect(await page.textContent(".resend")).toMatch(
        /You can request a new code in (0:5\d|1:00)/,
      );
      await page.clock.fastForward("01:01");
      await again.waitFor();
    });
  });
});
