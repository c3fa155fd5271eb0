import { expect } from "bun:test";
import type { Browser } from "playwright-core";
import { openBrowser } from "./browser.ts";
import type { DevProcess } from "./dev-process.ts";
import { openDevProcess } from "./dev-process.ts";
import type { Visitor } from "./visitor.ts";

export interface SignInSite extends AsyncDisposable {
  readonly dev: DevProcess;
  readonly browser: Browser;
}

/** All visitors come from one address here. */
const manyVisitors = { AUTH_CODES_PER_CLIENT: "1000", AUTH_TRIES_PER_CLIENT: "1000" };

/** The program with its pages, and a browser to see them with: one pair for a whole file. */
export async function openSignInSite(
  { program, chromium }: { readonly program: string; readonly chromium: string },
  environment: Readonly<Record<string, string>> = {},
): Promise<SignInSite> {
  await using stack = new AsyncDisposableStack();
  const dev = stack.use(await openDevProcess(program, { ...manyVisitors, ...environment }));
  const browser = stack.use(await openBrowser(chromium));
  const opened = stack.move();
  return { dev, browser, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** From the first page to that of the code; returns the code that was mailed. */
export function askForCode({ page }: Visitor, dev: DevProcess, email: string): Promise<string> {
  return dev.codeAfter(email, async () => {
    await page.goto(dev.authUrl);
    await page.getByLabel("E-mail address").fill(email);
    await page.getByRole("button", { name: "Send me a code" }).click();
    await page.getByRole("heading", { name: "Check your mail" }).waitFor();
  });
}

/** Types the digits one by one: nothing is sent before the button. */
export async function enterCode({ page }: Visitor, code: string, button: string): Promise<void> {
  await page.getByLabel("Six-digit code").fill("");
  await page.getByLabel("Six-digit code").pressSequentially(code);
  await page.getByRole("button", { name: button }).click();
}

export async function signIn(visitor: Visitor, dev: DevProcess, email: string): Promise<void> {
  const code = await askForCode(visitor, dev, email);
  await enterCode(visitor, code, "Sign in");
  await visitor.page.getByRole("heading", { name: "Your account", exact: true }).waitFor();
  expect(new URL(visitor.page.url()).pathname).toBe("/account");
}

/** Waits for what a page says to everybody: as a notice, or at the field it is about. */
export async function expectSaid({ page }: Visitor, words: string | RegExp): Promise<void> {
  await page.locator(".notice, .error").filter({ hasText: words }).first().waitFor();
}
