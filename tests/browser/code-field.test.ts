import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page, Request } from "playwright-core";
import { findEngine } from "../../support/engines.ts";
import { pastedCodes } from "../support/pasted-codes.ts";
import type { SignInSite } from "../support/sign-in-site.ts";
import {
  expectAccount,
  expectText,
  openSignInSite,
  requestCode,
  send,
} from "../support/sign-in-site.ts";
import type { Visitor } from "../support/visitor.ts";
import { findFaults, visit } from "../support/visitor.ts";

const program = findEngine("instant") ?? "";
const chromium = findEngine("chromium") ?? "";
const label = "Six-digit code";
const value = (page: Page) => page.getByLabel(label).inputValue();
/** What a person reads in the boxes. */
const boxes = (page: Page) => page.locator(".boxes > *").allTextContents();
const next = (page: Page) =>
  page.evaluate<number[]>(
    "[...document.querySelectorAll('.boxes > *')].flatMap((box, at) => box.matches('.next') ? [at] : [])",
  );
const cursorTo = (page: Page, at: number) =>
  page.evaluate(`document.querySelector("code-field input").setSelectionRange(${at}, ${at})`);

async function paste(page: Page, text: string): Promise<void> {
  await page.evaluate(`navigator.clipboard.writeText(${JSON.stringify(text)})`);
  await page.keyboard.press("Control+V");
}

/** Every code that is posted meanwhile; nothing reaches the server. */
async function holdPosts(page: Page): Promise<string[]> {
  const posted: string[] = [];
  await page.route("**/sign-in/code", (route, request: Request) => {
    if (request.method() !== "POST") return route.continue();
    posted.push(new URLSearchParams(request.postData() ?? "").get("code") ?? "");
    return route.abort();
  });
  return posted;
}

/** Two frames later, whatever was to be posted is. */
const settle = (page: Page) =>
  page.evaluate(
    "new Promise((resolve) => { let left = 4; const step = () => (left-- > 0 ? requestAnimationFrame(step) : resolve()); step(); })",
  );

describe.skipIf(program === "" || chromium === "")("the field for a code", () => {
  let site: SignInSite;
  beforeAll(async () => {
    site = await openSignInSite({ program, chromium });
  });
  afterAll(() => site[Symbol.asyncDispose]());

  let people = 0;
  /** At the page of the code, with the clipboard at hand, and posts held back. */
  async function atField(
    act: (visitor: Visitor & { readonly posted: string[] }) => Promise<void>,
  ): Promise<void> {
    await visit(site.browser, { mayComplain: /ERR_FAILED/ }, async (visitor) => {
      const { page, context } = visitor;
      await context.grantPermissions(["clipboard-read", "clipboard-write"]);
      people += 1;
      await requestCode(visitor, site.dev, `field-${people}@example.com`);
      const posted = await holdPosts(page);
      await page.getByLabel(label).focus();
      await act({ ...visitor, posted });
      await page.unroute("**/sign-in/code");
    });
  }

  test("a pasted code takes the place of what is there, wherever the cursor is", async () => {
    await atField(async ({ page, posted }) => {
      for (const [typed, cursor] of [
        ["", 0],
        ["12", 1],
        ["12", 2],
        ["999999", 0],
        ["999999", 3],
        ["999999", 6],
      ] as const) {
        await page.getByLabel(label).press("Control+A");
        await page.keyboard.press("Delete");
        await page.keyboard.type(typed);
        await cursorTo(page, cursor);
        await paste(page, "345678");
        expect(await boxes(page)).toEqual([..."345678"]);
        await settle(page);
        expect(posted.splice(0)).toEqual(["345678"]);
      }
    });
  });

  test("the one code in a pasted text is found; where there are two, nothing changes", async () => {
    await atField(async ({ page, posted }) => {
      for (const [text, code] of pastedCodes) {
        if (text === "") continue;
        await page.getByLabel(label).press("Control+A");
        await page.keyboard.press("Delete");
        await page.keyboard.type("77");
        await paste(page, text);
        await settle(page);
        const digits = text.replace(/\D/g, "");
        const expected = code ?? (digits.length < 6 ? `77${digits}`.slice(0, 6) : "77");
        expect({ text, value: await value(page) }).toEqual({ text, value: expected });
        expect({ text, posted: posted.splice(0) }).toEqual({ text, posted: code ? [code] : [] });
      }
    });
  });

  test("nothing is posted that was not in the boxes", async () => {
    await atField(async ({ page, posted }) => {
      const shown = await page.evaluate<string>(`new Promise((resolve) => {
        const field = document.querySelector("code-field");
        field.input.form.addEventListener("submit", () => {
          resolve([...field.boxes].map((box) => box.textContent).join(""));
        }, { once: true });
        const input = field.input;
        input.value = "٤٥٦ ١٢٣";
        input.dispatchEvent(new Event("input", { bubbles: true }));
      })`); // as a password manager fills in
      expect(shown).toBe("456123");
      await settle(page);
      expect(posted).toEqual(["456123"]);
    });
  });

  test("a digit typed into a full field takes the place of the one after the cursor", async () => {
    await atField(async ({ page, posted }) => {
      await page.keyboard.type("123456");
      await cursorTo(page, 2);
      await page.keyboard.type("9");
      expect(await value(page)).toBe("129456");
      await page.keyboard.type("8x7");
      expect(await value(page)).toBe("129876");
      expect(await next(page)).toEqual([5]);
      await page.keyboard.type("12");
      expect(await value(page)).toBe("129871");
      await page.keyboard.press("ArrowLeft");
      await page.keyboard.press("ArrowLeft");
      await page.keyboard.press("Backspace");
      expect(await value(page)).toBe("12971");
      await page.keyboard.type("0");
      expect(await value(page)).toBe("129071");
      await settle(page);
      expect(posted).toEqual([]);
    });
  });

  test("a click goes to the box that was clicked, and the next digit is written there", async () => {
    await atField(async ({ page }) => {
      await page.keyboard.type("123456");
      const box = await page.locator(".boxes > *").nth(3).boundingBox();
      if (box === null) throw new Error("the box is not there");
      for (const part of [0.2, 0.8]) {
        await page.mouse.click(box.x + box.width * part, box.y + box.height / 2);
        expect(await next(page)).toEqual([3]);
      }
      await page.keyboard.type("0");
      expect(await boxes(page)).toEqual([..."123056"]);
      await page.keyboard.press("Control+A");
      expect(await next(page)).toEqual([0, 1, 2, 3, 4, 5]);
    });
  });

  test("digits that come together, by voice or from a keyboard's clipboard, are a code", async () => {
    await atField(async ({ page, posted }) => {
      await page.keyboard.type("1");
      await page.keyboard.insertText("345 678");
      await settle(page);
      expect(await value(page)).toBe("345678");
      expect(posted.splice(0)).toEqual(["345678"]);
      await page.getByLabel(label).press("Control+A");
      await page.keyboard.press("Delete");
      for (const word of ["１", "2", " 3 ", "٤", "56"]) await page.keyboard.insertText(word);
      await settle(page);
      expect(await value(page)).toBe("123456");
      expect(posted).toEqual([]); // it came in pieces, as typed
    });
  });

  test("it is one field with a name to a screen reader", async () => {
    await atField(async ({ page }) => {
      await page.keyboard.type("12");
      const main = await page.getByRole("main").ariaSnapshot();
      expect(main.match(/textbox/g)).toHaveLength(1);
      expect(main).toContain(`textbox "${label}"`);
      const described = await page.evaluate<string>(`(() => {
        const ids = document.querySelector("code-field input").getAttribute("aria-describedby");
        return ids.split(" ").map((id) => document.getElementById(id).textContent).join(" ");
      })()`);
      expect(described).toContain("A pasted code is submitted right away.");
    });
  });

  /** WCAG 1.4.12, as a person's own style sheet sets it. */
  const spacing =
    "* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important; } p { margin-bottom: 2em !important; }";

  test.each([
    ["wide text spacing", spacing],
    ["twice the browser's font size", ":root { font-size: 200%; }"],
    ["both", `${spacing} :root { font-size: 200%; }`],
  ])(
    "with %s every digit stays inside its box, and the page in its window",
    async (name, style) => {
      for (const scripts of [true, false]) {
        await visit(site.browser, { scripts }, async (visitor) => {
          const { page } = visitor;
          people += 1;
          await requestCode(visitor, site.dev, `field-${people}@example.com`);
          await page.evaluate(`(() => {
          const sheet = new CSSStyleSheet();
          sheet.replaceSync(${JSON.stringify(style)});
          document.adoptedStyleSheets = [sheet];
        })()`);
          await page.getByLabel(label).pressSequentially("888888");
          for (const size of [
            { width: 320, height: 640 },
            { width: 1280, height: 900 },
          ]) {
            await page.setViewportSize(size);
            const cut = await page.evaluate<
              string[]
            >(`[...document.querySelectorAll(".live .boxes > *, code-field:not(.live) input")]
            .filter((box) => box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight)
            .map((box) => [box.tagName, box.scrollWidth, box.clientWidth].join(" "))`);
            expect({ name, scripts, size, cut }).toEqual({ name, scripts, size, cut: [] });
            if (scripts) expect(await findFaults(page)).toEqual([]);
            const folder = process.env["TEST_SCREENSHOTS"];
            if (folder !== undefined) {
              const file = ["code", name, scripts ? "live" : "plain", size.width].join("-");
              await page.screenshot({ path: `${folder}/${file.replaceAll(" ", "-")}.png` });
            }
          }
        });
      }
    },
  );

  test("in the colours of a high-contrast scheme the digits are seen once", async () => {
    await atField(async ({ page }) => {
      await page.emulateMedia({ forcedColors: "active" });
      await page.keyboard.type("123");
      const colour = await page.evaluate<string>(
        "getComputedStyle(document.querySelector('code-field input')).webkitTextFillColor",
      );
      expect(colour).toBe("rgba(0, 0, 0, 0)");
      expect(await boxes(page)).toEqual(["1", "2", "3", "", "", ""]);
      await page.emulateMedia({ forcedColors: "none" });
    });
  });

  test.each([
    ["with scripts", true],
    ["without scripts", false],
  ])(
    "an invisible character inside an address is told of, and dropped around it, %s",
    async (_, scripts) => {
      await visit(site.browser, { scripts }, async (visitor) => {
        const { page } = visitor;
        await page.goto(site.dev.authUrl);
        for (const wrong of [
          "ana@exam\u200bple.com",
          "a\u00adna@example.com",
          "ana@straße\u200b.de",
        ]) {
          await page.getByLabel("E-mail address").fill(wrong);
          await send(visitor, "Send me a code");
          await expectText(visitor, "That address has a space or an invisible character in it.");
        }
        const email = `hidden-${scripts}@example.com`;
        const code = await site.dev.codeAfter(email, async () => {
          await page.getByLabel("E-mail address").fill(`\u200b\ufeff ${email}\u202c\u00a0`);
          await send(visitor, "Send me a code");
          await page.getByRole("heading", { name: "Check your mail" }).waitFor();
        });
        expect(await page.textContent("main")).toContain(email);
        const spelled = [...code]
          .map((digit) => String.fromCodePoint(0x660 + Number(digit)))
          .join("");
        const field = page.getByLabel(label);
        if (scripts) for (const digit of spelled) await page.keyboard.insertText(digit);
        else await field.fill(`Your code: ${spelled}. ${"Regards. ".repeat(20)}`);
        await send(visitor, "Sign in");
        await expectAccount(visitor);
      });
    },
  );

  test.each([
    ["with scripts", true],
    ["without scripts", false],
  ])("an address is posted as it was typed, %s", async (_, scripts) => {
    await visit(site.browser, { scripts }, async ({ page }) => {
      await page.goto(site.dev.authUrl);
      const typed = `ana-${scripts}@straße.example`; // not strasse.example, which is somebody else's
      await page.getByLabel("E-mail address").fill(typed);
      const posted = page.waitForRequest((request) => request.method() === "POST");
      await page.getByRole("button", { name: "Send me a code" }).click();
      const form = new URLSearchParams((await posted).postData() ?? "");
      expect(form.get("email")).toBe(typed);
      await page.getByRole("heading", { name: "Check your mail" }).waitFor();
    });
  });

  test.each([
    ["with scripts", true],
    ["without scripts", false],
  ])("a code in the field is seen, %s", async (_, scripts) => {
    await visit(site.browser, { scripts }, async (visitor) => {
      people += 1;
      await requestCode(visitor, site.dev, `field-${people}@example.com`);
      await visitor.page.getByLabel(label).pressSequentially("1234");
      await visitor.checkPage("code-typed");
    });
  });
});
