import { describe, expect, test } from "bun:test";
import type { Locator } from "playwright-core";
import { openHttpServer } from "../../src/core/http/server.ts";
import { silentLog } from "../../src/core/log.ts";
import { mailMessages } from "../../src/email/templates/languages.ts";
import { findEngine } from "../../support/engines.ts";
import { recipientEngines } from "../support/recipient-world.ts";
import { findFaults, openBrowser } from "../support/visitor.ts";

const chromium = findEngine("chromium");
const email = "ana@example.com";

/** A browser at the preferences of somebody. */
async function openPage({ scripts }: { readonly scripts: boolean }) {
  const stack = new AsyncDisposableStack();
  const [engine] = recipientEngines();
  if (engine === undefined) throw new Error("there is always SQLite");
  const opened = stack.use(await engine[1]());
  const server = openHttpServer({
    fetch: opened.world.app.fetch,
    hostname: "127.0.0.1",
    port: 0,
    log: silentLog,
  });
  await server.start();
  stack.defer(() => server.stop());
  const browser = stack.use(await openBrowser(chromium ?? ""));
  const page = await browser.newPage({ javaScriptEnabled: scripts });
  const complaints: string[] = [];
  page.on("console", (message) => complaints.push(message.text()));
  /** On a phone and on a desk, light and dark; with TEST_SCREENSHOTS=<folder> a picture of each. */
  const look = async (name: string) => {
    for (const width of [390, 1280]) {
      await page.setViewportSize({ width, height: 844 });
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        const faults = await findFaults(page);
        expect({ name, width, colorScheme, faults }).toMatchObject({ faults: [] });
        const folder = process.env["TEST_SCREENSHOTS"];
        const path = `${folder}/preferences-${name}-${width}-${colorScheme}.png`;
        if (folder !== undefined) await page.screenshot({ path, fullPage: true });
      }
    }
  };
  const url = (link: string) => `${server.url}${link}`;
  return {
    ...opened,
    page,
    complaints,
    look,
    url,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

describe.skipIf(chromium === undefined)("the page of the preferences", () => {
  test("unsubscribes by its button, and takes it back by its boxes, without a script", async () => {
    await using opened = await openPage({ scripts: false });
    const { page } = opened;
    await page.goto(opened.url(opened.linkTo(email)));
    await page.getByRole("button", { name: "Unsubscribe from “Welcome”" }).click();
    await page.getByText("You are unsubscribed from “Welcome”").waitFor();
    const box = page.getByRole("checkbox", { name: "Welcome" });
    expect(await box.isChecked()).toBe(false);
    await box.check();
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Saved.").waitFor();
    expect(await box.isChecked()).toBe(true);
    expect(opened.complaints).toEqual([]);
  });

  test("reads from right to left in Arabic, and is left in it, without a script", async () => {
    await using opened = await openPage({ scripts: false });
    const { page } = opened;
    const link = opened.url(opened.linkTo(email));
    await page.goto(link);
    await page.getByRole("link", { name: "العربية" }).click();
    expect(page.url()).toBe(link);
    const { preferences } = mailMessages.ar;
    const box = page.getByRole("checkbox", { name: preferences.types.welcome.title });
    const title = page.getByText(preferences.types.welcome.title, { exact: true });
    const leftOf = async (locator: Locator) => (await locator.boundingBox())?.x ?? 0;
    expect(await leftOf(box)).toBeGreaterThan(await leftOf(title));
    await page.getByRole("button", { name: preferences.unsubscribe("«الترحيب»") }).click();
    await page.getByText(preferences.unsubscribed("«الترحيب»")).waitFor();
    expect(await box.isChecked()).toBe(false);
    expect(await page.getAttribute("html", "dir")).toBe("rtl");
  });

  test("can be read by everybody, on a phone and on a desk, light and dark", async () => {
    await using opened = await openPage({ scripts: true });
    const { page, look } = opened;
    const link = opened.url(opened.linkTo(email));
    await page.goto(link);
    await look("first");
    await page.getByRole("button", { name: "Unsubscribe from “Welcome”" }).click();
    await page.getByText("You are unsubscribed from “Welcome”").waitFor();
    await look("unsubscribed");
    await page.goto(link.slice(0, -9));
    await page.getByRole("heading", { name: "This link is incomplete" }).waitFor();
    // The browser itself says that the answer was 400.
    expect(opened.complaints.filter((text) => !text.includes("400"))).toEqual([]);
  });
});
