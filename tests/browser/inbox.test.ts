import { describe, expect, test } from "bun:test";
import { openBrowser } from "../support/browser.ts";
import { openDevProcess } from "../support/dev-process.ts";
import { findEngine } from "../support/engines.ts";

const program = findEngine("instant");
const chromium = findEngine("chromium");

describe.skipIf(program === undefined || chromium === undefined)("the inbox page", () => {
  test("is empty first, shows a mail as it comes, and its code in the frame", async () => {
    await using dev = await openDevProcess(program ?? "");
    await using browser = await openBrowser(chromium ?? "");
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    await page.goto(`${dev.emailUrl}/inbox`);
    expect(await page.textContent("main")).toContain("No mail yet");
    expect((await dev.requestCode("ana@example.com")).status).toBe(200);
    await page.getByRole("heading", { name: "Your sign-in code for instant" }).waitFor();
    const code = await page.frameLocator("iframe").locator(".code").textContent();
    expect(code?.trim()).toMatch(/^\d{6}$/);
    expect(await page.getByRole("link", { name: /ana@example.com/ }).count()).toBe(1);
    expect(complaints).toEqual([]);
  });

  test("on a phone shows the list, then the mail alone, and the way back", async () => {
    await using dev = await openDevProcess(program ?? "");
    await using browser = await openBrowser(chromium ?? "");
    const page = await browser.newPage({ viewport: { width: 390, height: 844 } });
    await dev.requestCode("ana@example.com");
    await page.goto(`${dev.emailUrl}/inbox`);
    const mail = page.getByRole("link", { name: /ana@example.com/ });
    await mail.click();
    await page.locator("iframe").waitFor();
    expect(await mail.isVisible()).toBe(false);
    await page.getByRole("link", { name: "All mails" }).click();
    await mail.waitFor();
    const width = await page.evaluate("document.documentElement.scrollWidth");
    expect(width).toBe(390);
  });

  test("is shown to this machine alone, under a loopback name", async () => {
    await using dev = await openDevProcess(program ?? "");
    const headers = { Host: "evil.example" };
    expect((await fetch(`${dev.emailUrl}/inbox`, { headers })).status).toBe(403);
  });
});
