import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import type { SignInSite } from "../support/sign-in-site.ts";
import { arriveSignedIn, expectText, openSignInSite, send } from "../support/sign-in-site.ts";
import type { Visitor } from "../support/visitor.ts";
import { visit } from "../support/visitor.ts";

const program = findEngine("instant") ?? "";
const chromium = findEngine("chromium") ?? "";

describe.skipIf(program === "" || chromium === "")("a change of address", () => {
  let site: SignInSite;
  beforeAll(async () => {
    site = await openSignInSite({ program, chromium }, { AUTH_CODE_REPEAT_WINDOW: "0s" });
  });
  afterAll(() => site[Symbol.asyncDispose]());

  /** As if every session there is had begun a quarter of an hour ago. */
  async function ageSessions(): Promise<void> {
    const path = join(site.dev.directory, ".instant", "state.sqlite");
    await using state = await openSqlite(path);
    await state.write((db) => db.run("UPDATE auth_sessions SET created_at = created_at - 900000"));
  }

  /** Asks for the change on the account page; returns the code that comes to `watched`. */
  async function ask({ page, ...visitor }: Visitor, to: string, watched: string): Promise<string> {
    return site.dev.codeAfter(watched, async () => {
      await page.goto(`${site.dev.authUrl}/account`);
      await page.getByLabel("New e-mail address").fill(to);
      await send({ page, ...visitor }, "Send a code to it");
      await page.getByRole("heading", { name: "Confirm your new address" }).waitFor();
    });
  }

  function undoLinkTo(email: string): Promise<string> {
    return eventually("the notice is in the inbox", () => {
      const texts = site.dev.process
        .findLogs("Email kept in the inbox")
        .map(({ text }) => String(text));
      const notice = texts.findLast((text) => text.includes("/undo/") && text.includes(email));
      return notice === undefined ? undefined : /https?:\S+\/undo\/[\w.-]+/.exec(notice)?.[0];
    });
  }

  describe.each([
    ["with scripts", true],
    ["without scripts", false],
  ])("%s", (_, scripts) => {
    const addressOf = (name: string) => `${name}.${scripts ? "live" : "plain"}@example.com`;

    test("takes a code from each address some time after signing in", async () => {
      const [email, newEmail] = [addressOf("old"), addressOf("new")];
      await visit(site.browser, { scripts }, async (visitor) => {
        const { page, checkPage } = visitor;
        await arriveSignedIn(visitor, site.dev, email);
        await ageSessions();
        const current = await ask(visitor, newEmail, email);
        const code = await ask(visitor, newEmail, newEmail);
        await checkPage("confirm-both");
        const [first, second] = [
          page.getByLabel("Code from the current address"),
          page.getByLabel("Code from the new address"),
        ];
        expect(await first.evaluate("document.activeElement.id")).toBe("current-code");
        await first.fill("000000");
        expect(await page.locator(".error").count()).toBe(0); // the other one is still missing
        await second.pressSequentially(code);
        await send(visitor, "Change the address");
        await expectText(visitor, "That code is wrong");
        await checkPage("confirm-both-mistake");
        await first.fill("");
        await first.pressSequentially(current);
        await second.pressSequentially(code);
        await send(visitor, "Change the address");
        await expectText(visitor, "Your address is changed");
        expect(await page.textContent("#email")).toContain(newEmail);
      });
    });

    test("is undone by the link in the notice, which ends every session", async () => {
      const [email, newEmail] = [addressOf("owner"), addressOf("thief")];
      await visit(site.browser, { scripts }, async (thief) => {
        await arriveSignedIn(thief, site.dev, email);
        const code = await ask(thief, newEmail, newEmail);
        await thief.page.getByLabel("Six-digit code").pressSequentially(code);
        await send(thief, "Change the address");
        await expectText(thief, "Your address is changed");
        const link = await undoLinkTo(email);
        await visit(site.browser, { scripts, mayComplain: /410/ }, async (owner) => {
          const { page, checkPage } = owner;
          await page.goto(link);
          await page.getByRole("heading", { name: "Undo the change?" }).waitFor();
          await checkPage("undo");
          await send(owner, "Undo the change");
          await expectText(owner, "The address of your account is restored");
          await checkPage("undone");
          await page.goto(link);
          await page.getByRole("heading", { name: "This link has expired" }).waitFor();
          await checkPage("undo-expired");
          await arriveSignedIn(owner, site.dev, email);
          expect(await page.textContent("#email")).toContain(email);
        });
        await thief.page.goto(`${site.dev.authUrl}/account`);
        await expectText(thief, "You are no longer signed in.");
      });
    });
  });
});
