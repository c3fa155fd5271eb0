import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { pageMessages } from "../../src/auth/pages/page-language.ts";
import type { Language } from "../../src/core/languages.ts";
import { languages, languageTags } from "../../src/core/languages.ts";
import { findEngine } from "../../support/engines.ts";
import type { SignInSite } from "../support/sign-in-site.ts";
import { expectText, openSignInSite, send } from "../support/sign-in-site.ts";
import type { Visitor } from "../support/visitor.ts";
import { visit } from "../support/visitor.ts";

const program = findEngine("instant") ?? "";
const chromium = findEngine("chromium") ?? "";

/** Goes to this page in another language, by the link at its end. */
async function choose({ page }: Visitor, language: Language): Promise<void> {
  const { name, locale, direction } = languages[language];
  await page.locator("footer.languages").getByRole("link", { name, exact: true }).click();
  await page.locator(`html[lang="${locale}"][dir="${direction}"]`).waitFor({ state: "attached" });
}

describe.skipIf(program === "" || chromium === "")("the pages in other languages", () => {
  let site: SignInSite;
  beforeAll(async () => {
    site = await openSignInSite({ program, chromium });
  });
  afterAll(() => site[Symbol.asyncDispose]());

  describe.each([
    ["with scripts", true],
    ["without scripts", false],
  ])("%s", (_, scripts) => {
    test.each(languageTags)("lead in %s from its name to the account", async (language) => {
      const messages = pageMessages[language];
      const email = `${language}-${scripts ? "live" : "plain"}@xn--bcher-kva.example`;
      await visit(site.browser, { scripts }, async (visitor) => {
        const { page, checkPage: look } = visitor;
        await page.goto(site.dev.authUrl);
        await choose(visitor, language);
        expect(new URL(page.url()).pathname).toBe("/");
        await page.getByLabel(messages.signIn.address).fill("ana@example");
        await send(visitor, messages.signIn.button);
        await expectText(visitor, messages.failed.email_invalid());
        await look(`${language}-mistake`);
        const code = await site.dev.codeAfter(email, async () => {
          await page.getByLabel(messages.signIn.address).fill(email);
          await send(visitor, messages.signIn.button);
          const { title } = messages.purposes.sign_in;
          await page.getByRole("heading", { name: title, exact: true }).waitFor();
        });
        expect(await page.textContent("main .lead")).toContain("@bücher.example");
        await look(`${language}-code`);
        await page.getByLabel(messages.code.label).pressSequentially(code);
        await send(visitor, messages.purposes.sign_in.button);
        await page.getByRole("heading", { name: messages.account.title, exact: true }).waitFor();
        await look(`${language}-account`);
        expect(await page.getAttribute("html", "lang")).toBe(languages[language].locale);
      });
    });

    test("are in the browser's language, until another is chosen", async () => {
      await visit(
        site.browser,
        { scripts, locale: "fr-CH", mayComplain: /404/ },
        async (visitor) => {
          const { page } = visitor;
          await page.goto(site.dev.authUrl);
          await page.getByRole("heading", { name: pageMessages.fr.signIn.title }).waitFor();
          await choose(visitor, "ar");
          await page.goto(`${site.dev.authUrl}/nowhere`);
          await page.getByRole("heading", { name: pageMessages.ar.nowhere.title }).waitFor();
          await choose(visitor, "de");
          expect(new URL(page.url()).pathname).toBe("/nowhere");
        },
      );
    });
  });

  test("run from right to left in Arabic, but for addresses and codes", async () => {
    await visit(site.browser, {}, async (visitor) => {
      const { page } = visitor;
      const messages = pageMessages.ar;
      await page.goto(site.dev.authUrl);
      await choose(visitor, "ar");
      const leftOf = async (selector: string) =>
        (await page.locator(selector).boundingBox())?.x ?? 0;
      expect(await leftOf(".brand-mark")).toBeGreaterThan(await leftOf(".brand"));
      await page.getByLabel(messages.signIn.address).fill("rtl@example.com");
      await send(visitor, messages.signIn.button);
      await page.getByLabel(messages.code.label).waitFor();
      const boxes = ".boxes > *";
      expect(await leftOf(`${boxes}:first-child`)).toBeLessThan(
        await leftOf(`${boxes}:last-child`),
      );
      const directions =
        "[...document.querySelectorAll('.address, code-field')].map((one) => getComputedStyle(one).direction)";
      expect(new Set(await page.evaluate<string[]>(directions))).toEqual(new Set(["ltr"]));
    });
  });

  test("change with the answer to a form, when another window chose a language", async () => {
    await visit(site.browser, { mayComplain: /ERR_FAILED/ }, async (visitor) => {
      const { page, context } = visitor;
      await page.goto(site.dev.authUrl);
      await context.addCookies([{ name: "page_language", value: "ar", url: site.dev.authUrl }]);
      await page.getByLabel("E-mail address").fill("no address");
      await send(visitor, "Send me a code");
      await expectText(visitor, pageMessages.ar.failed.email_invalid());
      expect(await page.getAttribute("html", "dir")).toBe("rtl");
      await page.route("**/sign-in", (route) => route.abort());
      await page.getByRole("button", { name: pageMessages.ar.signIn.button }).click();
      await page.getByText(pageMessages.ar.unsent).waitFor();
    });
  });
});
