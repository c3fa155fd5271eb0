import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startPreview } from "../../src/commands/preview.ts";
import { loadConfig } from "../../src/compose/config.ts";
import { languageTags } from "../../src/core/languages.ts";
import { createLog } from "../../src/core/log.ts";
import { ServiceGroup } from "../../src/core/service.ts";
import { previewable } from "../../src/email/templates/preview.tsx";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

/** The preview on a free port, with the templates of a directory. */
async function openPreview(templates?: string) {
  const log = createLog({ service: "preview", level: "error" });
  const group = new ServiceGroup({ log, stopDeadlineMs: 1000 });
  const environment = templates === undefined ? {} : { TEMPLATE_DIR: templates };
  const running = { group, fail: () => {} };
  const url = await startPreview(loadConfig(environment), running, { log, port: 0 });
  return {
    get: (path: string, headers: Record<string, string> = {}) =>
      fetch(`${url}${path}`, { headers }),
    [Symbol.asyncDispose]: async () => {
      await group.stop();
    },
  };
}

describe("the preview", () => {
  test("shows every sample of every mail in every language, and their frames", async () => {
    await using preview = await openPreview();
    for (const { type, samples } of previewable) {
      for (const [sample, language] of samples.flatMap((name) =>
        languageTags.map((tag) => [name, tag]),
      )) {
        const query = `?type=${type}&sample=${sample}&language=${language}`;
        const page = await (await preview.get(`/${query}`)).text();
        expect(page).toContain(`${type}, ${sample}, ${language}`);
        const frame = await (await preview.get(`/frame${query}&scheme=dark`)).text();
        expect(frame).toStartWith("<!doctype html>");
      }
    }
  });

  test("runs no script, and loads nothing from elsewhere", async () => {
    await using preview = await openPreview();
    const page = await preview.get("/");
    expect(page.headers.get("Content-Security-Policy")).toContain("default-src 'none'");
    expect(await page.text()).not.toContain("<script");
    const frame = await preview.get("/frame");
    expect(frame.headers.get("Content-Security-Policy")).toStartWith("sandbox; default-src 'none'");
  });

  test("is for this machine alone, under a loopback name", async () => {
    await using preview = await openPreview();
    expect((await preview.get("/", { Host: "evil.example" })).status).toBe(403);
    expect((await preview.get("/frame", { Host: "evil.example" })).status).toBe(403);
  });

  test("shows what it knows when a request names what there is not", async () => {
    await using preview = await openPreview();
    const page = await preview.get("/?type=<b>&sample=x&language=../..");
    expect(await page.text()).toContain("verification_code, sign_in, en");
  });

  test("shows the operator's templates as they are now, and what is wrong with them", async () => {
    using directory = temporaryDirectory();
    const write = (name: string, text: string) => writeFileSync(join(directory.path, name), text);
    await using preview = await openPreview(directory.path);
    const page = async () => (await preview.get("/?type=welcome")).text();
    expect(await page()).toContain("Welcome to instant");
    write("welcome.subject.txt", "Ahoy");
    write("welcome.html", "<p>{{usrname}}</p>");
    write("welcome.txt", "{{username}} {{unsubscribe_link}}");
    expect(await page()).toContain("<code>welcome.html:1</code> uses an unknown value, usrname");
    write("welcome.html", "<p>{{username}} {{unsubscribe_link}}</p>");
    expect(await page()).toContain(">Ahoy</h1>");
    mkdirSync(join(directory.path, "de"));
    expect(await page()).toContain("language=de");
  });
});
