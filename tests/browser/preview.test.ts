import { describe, expect, test } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import { InstantProcess } from "../../support/instant-process.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { findFaults, openBrowser } from "../support/visitor.ts";

const program = findEngine("instant");
const chromium = findEngine("chromium");

describe.skipIf(program === undefined || chromium === undefined)("instant preview", () => {
  test("shows a mail light and dark, on a phone and a desktop, without a complaint", async () => {
    await using preview = await openPreview();
    const { url } = preview;
    await using browser = await openBrowser(chromium ?? "");
    const page = await browser.newPage({ viewport: { width: 1920, height: 1200 } });
    const complaints: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    await page.goto(url);
    await page.getByRole("link", { name: "sign_in_notice" }).click();
    await page.getByRole("link", { name: "es, Español", exact: true }).click();
    await page.getByRole("heading", { name: "Nuevo inicio de sesión en instant" }).waitFor();
    await page.waitForLoadState("load");
    const cards = await Promise.all(
      page
        .frames()
        .slice(1)
        .map((frame) =>
          frame.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor"),
        ),
    );
    const [light, dark] = ["rgb(255, 255, 255)", "rgb(27, 30, 37)"];
    expect(cards).toEqual([light, dark, light, dark]);
    expect(await findFaults(page)).toEqual([]);
    expect(complaints).toEqual([]);
  });

  test("of a code gives the code in one piece to who copies it", async () => {
    await using preview = await openPreview();
    const { url } = preview;
    await using browser = await openBrowser(chromium ?? "");
    const page = await browser.newPage({ viewport: { width: 390, height: 800 } });
    await page.goto(`${url}frame?type=verification_code`);
    const width = await page.evaluate("document.documentElement.scrollWidth");
    expect(width).toBe(390);
    await page.locator(".code").click();
    expect(await page.evaluate("getSelection().toString()")).toBe("246813");
  });
});

/** `./instant preview` in a directory of its own, and where it answers. */
async function openPreview() {
  const stack = new AsyncDisposableStack();
  const directory = stack.use(temporaryDirectory()).path;
  const options = { program: program ?? "", directory, environment: {} };
  const preview = stack.use(new InstantProcess(["preview", "--port", "0"], options));
  const url = await eventually("it prints its address", () => {
    return /http:\/\/\S+/.exec(preview.output)?.[0];
  });
  return { url, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
