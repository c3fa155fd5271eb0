import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";

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
