import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";

/** A window at a browser, with cookies of its own. */
export interface BrowserSlot {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Leaves it to the next one, without cookies. */
  leave(): Promise<void>;
}

/** By browser, then by options. */
const freeSeats = new WeakMap<Browser, Map<string, BrowserSlot[]>>();

/**
 * A seat that was left, or a new one: that is a process of Chromium, and takes longer than most
 * visits. It is closed with its browser.
 */
export async function openBrowserSlot(
  browser: Browser,
  options: BrowserContextOptions,
): Promise<BrowserSlot> {
  const byOptions = freeSeats.get(browser) ?? new Map<string, BrowserSlot[]>();
  freeSeats.set(browser, byOptions);
  const key = JSON.stringify(options);
  const free = byOptions.get(key) ?? [];
  byOptions.set(key, free);
  const left = free.pop();
  if (left !== undefined) return left;
  const context = await browser.newContext(options);
  context.setDefaultTimeout(10_000);
  const seat: BrowserSlot = {
    context,
    page: await context.newPage(),
    leave: async () => {
      await context.clearCookies();
      free.push(seat);
    },
  };
  return seat;
}
