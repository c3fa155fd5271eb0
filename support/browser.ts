import type { Browser } from "playwright-core";
import { chromium } from "playwright-core";

/** A headless Chromium that asks nobody outside; without a sandbox of its own, as root has none. */
export async function openBrowser(executablePath: string): Promise<Browser & AsyncDisposable> {
  const browser = await chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  return Object.assign(browser, { [Symbol.asyncDispose]: () => browser.close() });
}
