import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { findEngine } from "../../support/engines.ts";
import type { SignInSite } from "../support/sign-in-site.ts";
import {
  arriveSignedIn,
  expectAccount,
  openSignInSite,
  requestCode,
} from "../support/sign-in-site.ts";
import { visit } from "../support/visitor.ts";

const program = findEngine("instant") ?? "";
const chromium = findEngine("chromium") ?? "";

/** What has the focus, and whether a person sees it: an outline of two pixels or more. */
const focusedNow = `(() => {
  const focused = document.activeElement;
  const named = (focused.labels?.[0] ?? focused).cloneNode(true);
  for (const hidden of named.querySelectorAll("[aria-hidden]")) hidden.remove();
  const marked = focused.closest("code-field")?.querySelector(".next") ?? focused;
  const { outlineStyle, outlineWidth } = getComputedStyle(marked);
  const seen = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
  return named.textContent.trim() + (seen ? "" : " (unseen)");
})()`;

/** Goes through a page key by key, from its beginning. */
async function tabStops(page: Page, count: number): Promise<string[]> {
  const stops: string[] = [];
  await page.locator(".brand").focus();
  await page.keyboard.press("Shift+Tab");
  for (let stop = 0; stop < count; stop += 1) {
    await page.keyboard.press("Tab");
    stops.push(await page.evaluate<string>(focusedNow));
  }
  return stops;
}

describe.skipIf(program === "" || chromium === "")("with the keyboard alone", () => {
  let site: SignInSite;
  beforeAll(async () => {
    site = await openSignInSite({ program, chromium });
  });
  afterAll(() => site[Symbol.asyncDispose]());

  test("somebody signs in, and pastes the code in one go", async () => {
    await visit(site.browser, {}, async (visitor) => {
      const { page, context } = visitor;
      await context.grantPermissions(["clipboard-read", "clipboard-write"]);
      await page.goto(site.dev.authUrl);
      expect(await page.evaluate<string>(focusedNow)).toBe("E-mail address");
      const code = await site.dev.codeAfter("keys@example.com", async () => {
        await page.keyboard.type("keys@example.com");
        await page.keyboard.press("Enter");
        await page.getByRole("heading", { name: "Check your mail" }).waitFor();
      });
      expect(await page.evaluate<string>(focusedNow)).toBe("Six-digit code");
      const pasted = `${code.slice(0, 3)} ${code.slice(3)}\n`; // as a mail program may copy it
      await page.evaluate(`navigator.clipboard.writeText(${JSON.stringify(pasted)})`);
      await page.keyboard.press("Control+V");
      await expectAccount(visitor);
    });
  });

  test("somebody types the code, fixes a digit, and sends it with Enter", async () => {
    await visit(site.browser, {}, async (visitor) => {
      const { page } = visitor;
      const code = await requestCode(visitor, site.dev, "slip@example.com");
      await page.keyboard.type(`${code.slice(0, 5)}x${code[5] === "0" ? "1" : "0"}`);
      expect(await page.getByLabel("Six-digit code").inputValue()).toMatch(/^\d{6}$/);
      await page.keyboard.press("Backspace");
      await page.keyboard.type(code.slice(5));
      expect(new URL(page.url()).pathname).toBe("/sign-in/code");
      await page.keyboard.press("Enter");
      await expectAccount(visitor);
    });
  });

  test("every field, button and link is reached in the order of the page, and seen", async () => {
    await visit(site.browser, {}, async (visitor) => {
      const { page } = visitor;
      await page.goto(site.dev.authUrl);
      expect(await tabStops(page, 3)).toEqual(["instant", "E-mail address", "Send me a code"]);
      await requestCode(visitor, site.dev, "tabs@example.com");
      expect(await tabStops(page, 5)).toEqual([
        "instant",
        "Six-digit code",
        "Sign in",
        "open the inbox",
        "Use another address",
      ]);
    });
    await visit(site.browser, {}, async (visitor) => {
      const { page } = visitor;
      await arriveSignedIn(visitor, site.dev, "stops@example.com");
      expect(await tabStops(page, 8)).toEqual([
        "instant",
        "Sign out",
        "Your username",
        "Save",
        "New e-mail address",
        "Send a code to it",
        "Choose which ones",
        "Delete my account …",
      ]);
    });
  });
});
