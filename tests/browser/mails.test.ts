import { describe, expect, test } from "bun:test";
import { languageTags } from "../../src/core/languages.ts";
import { findEngine } from "../../support/engines.ts";
import { everySample, renderData } from "../support/mails.ts";
import { findFaults, openBrowser } from "../support/visitor.ts";

const chromium = findEngine("chromium");

/** What names and addresses may be at most, in one word each. */
const longest = {
  username: "ж".repeat(100),
  device: "W".repeat(100),
  new_email: `${"a".repeat(64)}@${"b".repeat(255)}`,
  code: "ABCDEF123456",
  reset_link: `https://example.com/${"x".repeat(2000)}`,
  account_link: `https://example.com/${"x".repeat(2000)}`,
};

/** A mail is shown inside the page of a mail program, which has the landmarks. */
const ofPagesAlone = new Set(["landmark-one-main", "region"]);

describe.skipIf(chromium === undefined)("mails in a browser", () => {
  test("can be read by everybody, light and dark, in every language", async () => {
    await using browser = await openBrowser(chromium ?? "");
    const page = await browser.newPage({ viewport: { width: 390, height: 800 } });
    for (const [type, , data] of everySample) {
      for (const locale of languageTags) {
        await page.setContent(renderData(type, { ...data, locale }).html);
        for (const colorScheme of ["light", "dark"] as const) {
          await page.emulateMedia({ colorScheme });
          const faults = await findFaults(page);
          const ofMails = faults.filter((fault) => !ofPagesAlone.has(String([fault].flat()[0])));
          expect(ofMails).toEqual([]);
        }
      }
    }
  });

  test("are as wide as the window, whatever stands in them", async () => {
    await using browser = await openBrowser(chromium ?? "");
    const page = await browser.newPage();
    const appName = "A".repeat(100);
    for (const width of [320, 390, 800]) {
      await page.setViewportSize({ width, height: 800 });
      for (const [type, name, data] of everySample) {
        const long = Object.keys(data).filter((field) => Object.hasOwn(longest, field));
        const fields = Object.fromEntries(
          long.map((field) => [field, longest[field as keyof typeof longest]]),
        );
        await page.setContent(renderData(type, { ...data, ...fields }, { appName }).html);
        const shown = await page.evaluate("document.documentElement.scrollWidth");
        expect([type, name, shown]).toEqual([type, name, width]);
      }
    }
  });
});
