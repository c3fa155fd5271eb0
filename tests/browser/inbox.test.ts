import { describe, expect, test } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import { openDevProcess } from "../support/dev-process.ts";
import { openBrowser, visit } from "../support/visitor.ts";

const program = findEngine("instant");
const chromium = findEngine("chromium");
const desk = { width: 1280, height: 900 };

describe.skipIf(program === undefined || chromium === undefined)("the inbox page", () => {
  test("is empty at first, then shows each mail as it arrives, with its code in the frame", async () => {
    await using dev = await openDevProcess(program ?? "");
    await using browser = await openBrowser(chromium ?? "");
    await visit(browser, {}, async ({ page, checkPage: look }) => {
      await page.goto(`${dev.emailUrl}/inbox`);
      expect(await page.textContent("main")).toContain("No mail yet");
      expect(await page.textContent("main")).toContain("Not for production");
      await look("inbox-empty");
      await page.setViewportSize(desk);
      expect((await dev.requestCode("ana@example.com")).status).toBe(200);
      await page.getByRole("heading", { name: "Your sign-in code for instant" }).waitFor();
      const code = await page.frameLocator("iframe").locator(".code").textContent();
      expect(code?.trim()).toMatch(/^\d{6}$/);
      expect(await page.getByRole("link", { name: /ana@example.com/ }).count()).toBe(1);
      await look("inbox");
    });
  });

  test("copies the code, and shows text, headers and source", async () => {
    await using dev = await openDevProcess(program ?? "");
    await using browser = await openBrowser(chromium ?? "");
    const code = await dev.codeAfter("ana@example.com", () => dev.requestCode("ana@example.com"));
    await visit(browser, {}, async ({ page, context, checkPage: look }) => {
      await context.grantPermissions(["clipboard-read", "clipboard-write"]);
      await page.goto(`${dev.emailUrl}/inbox`);
      await page.getByRole("button", { name: "Copy the code" }).click();
      await page.getByText("Copied").waitFor();
      expect(await page.evaluate("navigator.clipboard.readText()")).toBe(code);
      const shown: string[] = [];
      for (const name of ["Text", "HTML source", "Headers", "Whole source, as it would be sent"]) {
        const part = page.locator("details", { has: page.getByText(name, { exact: true }) });
        await part.locator("summary").click();
        await part.locator("pre").waitFor();
        shown.push((await part.locator("pre").textContent()) ?? "");
      }
      const [text = "", html, headers = "", whole] = shown;
      expect(text).toContain(code);
      expect(html).toStartWith("<!doctype html>");
      expect(headers).toContain("From: noreply@localhost\nTo: ana@example.com\nSubject: ");
      expect(whole).toStartWith(headers);
      expect(whole).toContain("Content-Type: text/html; charset=utf-8");
      await look("inbox-source");
      await page.setViewportSize(desk);
      await page.getByRole("link", { name: "Timeline of this mail" }).click();
      await page.getByRole("heading", { name: "Timeline" }).waitFor();
    });
  });

  test("finds mails, and forgets them all when it is told so", async () => {
    await using dev = await openDevProcess(program ?? "");
    await using browser = await openBrowser(chromium ?? "");
    for (const email of ["ana@example.com", "bob@example.com"]) {
      await dev.codeAfter(email, () => dev.requestCode(email));
    }
    await visit(browser, { scripts: false }, async ({ page, checkPage: look }) => {
      await page.goto(`${dev.emailUrl}/inbox`);
      await page.getByLabel("Search").fill("BOB@");
      await page.getByRole("button", { name: "Search" }).click();
      await page.getByRole("link", { name: "All mails" }).first().waitFor();
      expect(await page.locator(".list a").allTextContents()).toHaveLength(1);
      await look("inbox-search");
      await page.getByText("Clear …").click();
      await page.getByRole("button", { name: "Remove all 2 mails" }).click();
      await page.getByText("No mail yet").waitFor();
    });
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
    const clear = () =>
      fetch(`${dev.emailUrl}/inbox/clear`, {
        method: "POST",
        headers: { Origin: "http://evil.example" },
      });
    expect((await clear()).status).toBe(403);
  });
});
