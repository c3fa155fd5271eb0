import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type {
  Browser,
  BrowserContext,
  BrowserContextOptions,
  ConsoleMessage,
  Page,
  Request,
} from "playwright-core";
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
      // So that a site may have a name, behind the nginx of a test.
      "--host-resolver-rules=MAP *.test 127.0.0.1",
    ],
  });
  return Object.assign(browser, { [Symbol.asyncDispose]: () => browser.close() });
}

interface VisitOptions {
  /** Whether JavaScript runs; it does when left out. */
  readonly scripts?: boolean;
  /** What the browser accepts; American English when left out. */
  readonly locale?: string;
  /** The browser it says it is; this Chromium when left out. */
  readonly userAgent?: string;
  /** Whether the certificate of an nginx of the test is accepted. */
  readonly ignoreHTTPSErrors?: boolean;
  /** What the console may say in this visit: of the refusals that the test asks for. */
  readonly mayComplain?: RegExp;
}

/** A person at a browser of their own, with nobody else's cookies. */
export interface Visitor {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly scripts: boolean;
  /**
   * Whether all is well with the page as it is now, on a phone and on a desk, light and dark. Without
   * scripts, where the document is much the same: light on a phone and dark on a desk.
   */
  checkPage(name: string): Promise<void>;
}

const phone = { width: 390, height: 844 };
const desk = { width: 1280, height: 900 };
const fewViews = [
  { size: phone, colorScheme: "light" },
  { size: desk, colorScheme: "dark" },
] as const;
const allViews = [
  ...fewViews,
  { size: desk, colorScheme: "light" },
  { size: phone, colorScheme: "dark" },
] as const;

/** What no address may hold: a query, an e-mail address, a code or a token. */
const secretInUrl = /[?@]|%40|(?<!\d)\d{6}(?!\d)|[\w-]{43}/;
/** The choice of a language is no secret. */
const languageQuery = /\?lang=[a-z]{2}$/;
/** The name of a mail or a session: it opens nothing, and six of its digits may look like a code. */
const uuids = /[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/g;
/** The links of mails, which have to tell whom they are for. */
const mailLinks = /\/account\/email\/undo\/[\w.-]+/g;

/**
 * Lets somebody visit. Afterwards the console must have been silent (it tells of every breach of
 * the Content-Security-Policy), and no address or referrer that went over the wire may tell
 * anything. With TEST_SCREENSHOTS=<folder> each look is kept there as a picture, for the eye.
 */
export async function visit(
  browser: Browser,
  options: VisitOptions,
  act: (visitor: Visitor) => Promise<void>,
): Promise<void> {
  const { scripts = true, mayComplain, ...rest } = options;
  const { page, context, leave } = await openBrowserSlot(browser, {
    javaScriptEnabled: scripts,
    ...rest,
  });
  await page.setViewportSize(desk);
  await page.emulateMedia({ colorScheme: "light" });
  const complaints: string[] = [];
  const told: string[] = [];
  const onConsole = (message: ConsoleMessage) => complaints.push(message.text());
  const onError = (error: Error) => complaints.push(String(error));
  const onRequest = (request: Request) => {
    told.push(request.url(), request.headers()["referer"] ?? "");
  };
  page.on("console", onConsole).on("pageerror", onError).on("request", onRequest);
  await act({ page, context, scripts, checkPage: (name) => checkPage({ page, scripts }, name) });
  page.off("console", onConsole).off("pageerror", onError).off("request", onRequest);
  await leave();
  expect(complaints.filter((text) => !mayComplain?.test(text))).toEqual([]);
  const bare = (url: string) =>
    url.replaceAll(uuids, "").replaceAll(mailLinks, "").replace(languageQuery, "");
  const telling = told.filter((url) => secretInUrl.test(bare(url)));
  expect(telling.filter((url) => !url.startsWith("data:"))).toEqual([]);
}

async function checkPage({ page, scripts }: Pick<Visitor, "page" | "scripts">, name: string) {
  const judged = scripts ? page : await copyOf(page);
  const faults: unknown[] = [];
  for (const { size, colorScheme } of scripts ? allViews : fewViews) {
    await judged.setViewportSize(size);
    await judged.emulateMedia({ colorScheme });
    faults.push(...(await findFaults(judged)));
    const folder = process.env["TEST_SCREENSHOTS"];
    if (folder === undefined) continue;
    const file = [name, ...(scripts ? [] : ["plain"]), size.width, colorScheme].join("-");
    await judged.screenshot({ path: `${folder}/${file}.png`, fullPage: true });
  }
  expect({ name, faults }).toEqual({ name, faults: [] });
}

/** The same document where scripts run, without its own: where they are off, axe cannot run. */
async function copyOf(page: Page): Promise<Page> {
  const browser = page.context().browser();
  if (browser === null) throw new Error("the browser is gone");
  const { page: copy, leave } = await openBrowserSlot(browser, { offline: true });
  const document = await page.content();
  await copy.setContent(document.replaceAll(/<script.*?<\/script>/gs, ""));
  await leave();
  return copy;
}

/** A window at a browser, with cookies of its own. */
interface BrowserSlot {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Leaves it to the next one, without cookies. */
  leave(): Promise<void>;
}

/** By browser, then by options. */
const freeSlots = new WeakMap<Browser, Map<string, BrowserSlot[]>>();

/**
 * A slot that was left, or a new one: that is a process of Chromium, which takes longer to start
 * than most visits last. It is closed with its browser.
 */
async function openBrowserSlot(
  browser: Browser,
  options: BrowserContextOptions,
): Promise<BrowserSlot> {
  const byOptions = freeSlots.get(browser) ?? new Map<string, BrowserSlot[]>();
  freeSlots.set(browser, byOptions);
  const key = JSON.stringify(options);
  const free = byOptions.get(key) ?? [];
  byOptions.set(key, free);
  const left = free.pop();
  if (left !== undefined) return left;
  const context = await browser.newContext(options);
  context.setDefaultTimeout(10_000);
  const slot: BrowserSlot = {
    context,
    page: await context.newPage(),
    leave: async () => {
      await context.clearCookies();
      free.push(slot);
    },
  };
  return slot;
}

/** Half as long to take in as the one that `axe-core` exports. */
const axe = readFileSync(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");
const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

interface AxeFault {
  readonly id: string;
  readonly nodes: readonly { readonly failureSummary?: string }[];
}

/**
 * What axe finds against WCAG 2.2 AA and good practice, and whatever is wider than the window. axe
 * comes by the debugger: no page's policy would let it in.
 */
export async function findFaults(page: Page): Promise<unknown[]> {
  if (!(await page.evaluate("'axe' in window"))) await page.evaluate(axe);
  const options = { runOnly: rules, resultTypes: ["violations"] };
  const violations = (await page.evaluate(
    `axe.run(${JSON.stringify(options)}).then(({ violations }) => violations)`,
  )) as AxeFault[];
  const [content, window] = (await page.evaluate(
    "[document.documentElement.scrollWidth, document.documentElement.clientWidth]",
  )) as [number, number];
  return [
    ...violations.map(({ id, nodes }) => [id, nodes.map((node) => node.failureSummary)]),
    ...(content > window ? [`is ${content} px wide in a window of ${window} px`] : []),
  ];
}
