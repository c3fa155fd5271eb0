import { expect } from "bun:test";
import type { Browser } from "playwright-core";
import type { DevProcess } from "./dev-process.ts";
import { openDevProcess } from "./dev-process.ts";
import type { Visitor } from "./visitor.ts";
import { openBrowser } from "./visitor.ts";

export interface SignInSite extends AsyncDisposable {
  readonly dev: DevProcess;
  readonly browser: Browser;
}

/** All visitors come from one address here. */
const manyVisitors = { AUTH_CODES_PER_CLIENT: "1000", AUTH_ATTEMPTS_PER_CLIENT: "1000" };

/** The program with its pages, and a browser to see them with: one pair for a whole file. */
export async function openSignInSite(
  { program, chromium }: { readonly program: string; readonly chromium: string },
  environment: Readonly<Record<string, string>> = {},
): Promise<SignInSite> {
  await using stack = new AsyncDisposableStack();
  const dev = stack.use(await openSignInDev(program, environment));
  const browser = stack.use(await openBrowser(chromium));
  const opened = stack.move();
  return { dev, browser, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** The program alone, for a browser that is there. */
export function openSignInDev(
  program: string,
  environment: Readonly<Record<string, string>>,
): Promise<DevProcess> {
  return openDevProcess(program, { ...manyVisitors, ...environment });
}

/** Sends a form by its button, and waits for the page that answers, whichever way it comes. */
export async function send({ page }: Visitor, button: string | RegExp): Promise<void> {
  await page.evaluate("document.querySelector('.frame').dataset.sent = ''");
  await page.getByRole("button", { name: button, exact: typeof button === "string" }).click();
  await page.locator(".frame:not([data-sent])").waitFor();
}

/** From the first page to that of the code; returns the code that was mailed. */
export function requestCode(visitor: Visitor, dev: DevProcess, email: string): Promise<string> {
  const { page } = visitor;
  return dev.codeAfter(email, async () => {
    await page.goto(dev.authUrl);
    await page.getByLabel("E-mail address").fill(email);
    await send(visitor, "Send me a code");
    await page.getByRole("heading", { name: "Check your mail" }).waitFor();
  });
}

/** Types the digits one by one: nothing is sent before the button. */
export async function enterCode(visitor: Visitor, code: string, button: string): Promise<void> {
  const field = visitor.page.getByLabel("Six-digit code");
  await field.fill("");
  await field.pressSequentially(code);
  await send(visitor, button);
}

/** Is signed in by the API, as this browser: quicker, where the way is not what is tested. */
export async function arriveSignedIn(
  { page, context }: Visitor,
  dev: DevProcess,
  email: string,
): Promise<void> {
  const code = await dev.codeAfter(email, () => dev.requestCode(email));
  const answer = await fetch(`${dev.authUrl}/auth/verify-code`, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      "User-Agent": await page.evaluate<string>("navigator.userAgent"),
    },
    body: JSON.stringify({ email, code }),
  });
  const { token } = (await answer.json()) as { token: string };
  await context.addCookies([{ name: "session_id", value: token, url: dev.authUrl }]);
  await page.goto(`${dev.authUrl}/account`);
}

export async function expectAccount({ page }: Visitor): Promise<void> {
  await page.getByRole("heading", { name: "Your account", exact: true }).waitFor();
  expect(new URL(page.url()).pathname).toBe("/account");
}

/** What a page says to everybody: as a notice, or at the field it is about. */
export async function expectText({ page }: Visitor, words: string | RegExp): Promise<void> {
  const said = await page.locator(".notice, .error").allTextContents();
  expect(said).toEqual([expect.stringMatching(words)]);
}
