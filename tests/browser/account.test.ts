import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import type { SignInSite } from "../support/sign-in-site.ts";
import {
  arriveSignedIn,
  enterCode,
  expectText,
  openSignInSite,
  send,
} from "../support/sign-in-site.ts";
import { visit } from "../support/visitor.ts";

const program = findEngine("instant") ?? "";
const chromium = findEngine("chromium") ?? "";
const iphone =
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";
const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

describe.skipIf(program === "" || chromium === "")("the account page", () => {
  let site: SignInSite;
  beforeAll(async () => {
    site = await openSignInSite({ program, chromium }, { AUTH_CODE_REPEAT_WINDOW: "0s" });
  });
  afterAll(() => site[Symbol.asyncDispose]());

  describe.each([
    ["with scripts", true],
    ["without scripts", false],
  ])("%s", (_, scripts) => {
    const addressOf = (name: string) => `${name}.${scripts ? "live" : "plain"}@example.com`;

    test("has a username, when it is one and nobody else's", async () => {
      const username = scripts ? "ana" : "ben";
      await visit(site.browser, { scripts }, async (visitor) => {
        const { page, checkPage: look } = visitor;
        await arriveSignedIn(visitor, site.dev, addressOf("ana"));
        const save = async (name: string) => {
          await page.getByLabel("Your username").fill(name);
          await send(visitor, "Save");
        };
        await save("-ana");
        await expectText(visitor, "Use 1 to 32 letters");
        expect(await page.getByLabel("Your username").inputValue()).toBe("-ana");
        await look("username-mistake");
        await save(username);
        await expectText(visitor, "Saved.");
        await page.goto(`${site.dev.authUrl}/account`);
        expect(await page.getByLabel("Your username").inputValue()).toBe(username);
      });
      await visit(site.browser, { scripts }, async (visitor) => {
        await arriveSignedIn(visitor, site.dev, addressOf("other"));
        await visitor.page.getByLabel("Your username").fill(username.toUpperCase());
        await send(visitor, "Save");
        await expectText(visitor, "That username is taken.");
      });
    });

    test("ends a session from a second browser, and the first is out on its next request", async () => {
      const email = addressOf("sessions");
      await visit(site.browser, { scripts, userAgent: iphone }, async (first) => {
        await arriveSignedIn(first, site.dev, email);
        await visit(site.browser, { scripts, userAgent: firefox }, async (second) => {
          const { page, checkPage: look } = second;
          await arriveSignedIn(second, site.dev, email);
          await look("account-two-sessions");
          const rows = page.locator(".sessions li");
          expect(await rows.allTextContents()).toEqual([
            expect.stringMatching(/^Firefox on Linux\s*This device/),
            expect.stringMatching(/^Safari on iPhone/),
          ]);
          await send(second, /^Sign out Safari on iPhone/);
          await expectText(second, "That device is signed out.");
          expect(await rows.count()).toBe(1);
        });
        await first.page.getByLabel("Your username").fill("too.late");
        await send(first, "Save");
        await expectText(first, "You are no longer signed in.");
        await first.checkPage("signed-out-elsewhere");
        expect(new URL(first.page.url()).pathname).toBe("/");
      });
    });

    test("ends all other sessions at once", async () => {
      const email = addressOf("everywhere");
      await visit(site.browser, { scripts, userAgent: iphone }, async (first) => {
        await arriveSignedIn(first, site.dev, email);
        await visit(site.browser, { scripts }, async (second) => {
          await arriveSignedIn(second, site.dev, email);
          await send(second, "Sign out everywhere else");
          await expectText(second, "Every other device is signed out.");
        });
        await first.page.reload();
        await expectText(first, "You are no longer signed in.");
      });
    });

    test("gets another address with a code that went there", async () => {
      const [email, newEmail] = [addressOf("old"), addressOf("new")];
      await visit(site.browser, { scripts }, async (visitor) => {
        const { page, checkPage: look } = visitor;
        await arriveSignedIn(visitor, site.dev, email);
        const ask = async (address: string) => {
          await page.getByLabel("New e-mail address").fill(address);
          await send(visitor, "Send a code to it");
        };
        await ask("nowhere");
        await expectText(visitor, "That is not an e-mail address.");
        await ask(email);
        await expectText(visitor, "That is already your address.");
        await look("email-mistake");
        const code = await site.dev.codeAfter(newEmail, async () => {
          await ask(newEmail);
          await page.getByRole("heading", { name: "Confirm your new address" }).waitFor();
        });
        await look("confirm-address");
        await enterCode(visitor, code, "Change the address");
        await expectText(visitor, "Your address is changed.");
        expect(await page.textContent("#email")).toContain(newEmail);
        await look("address-changed");
      });
      await visit(site.browser, { scripts }, async (visitor) => {
        await arriveSignedIn(visitor, site.dev, newEmail);
        expect(await visitor.page.textContent("#email")).not.toContain(email);
      });
    });

    test("is deleted with a code, and every session of it is over", async () => {
      const email = addressOf("leaving");
      await visit(site.browser, { scripts, userAgent: iphone }, async (other) => {
        await arriveSignedIn(other, site.dev, email);
        await visit(site.browser, { scripts }, async (visitor) => {
          const { page, checkPage: look } = visitor;
          await arriveSignedIn(visitor, site.dev, email);
          await page.getByRole("link", { name: "Delete my account …" }).click();
          await page.getByRole("heading", { name: "Delete your account?" }).waitFor();
          await look("delete");
          const code = await site.dev.codeAfter(email, async () => {
            await send(visitor, "Send me the code");
            await page.getByRole("heading", { name: "Confirm the deletion" }).waitFor();
          });
          await look("delete-code");
          await enterCode(visitor, code, "Delete my account for good");
          await expectText(visitor, "Your account is deleted.");
          await look("deleted");
        });
        await other.page.reload();
        await expectText(other, "You are no longer signed in.");
      });
    });
  });
});
