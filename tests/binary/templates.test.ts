import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findEngine } from "../../support/engines.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { runInstant } from "../support/run-instant.ts";

describe.skipIf(findEngine("instant") === undefined)("the built program", () => {
  test.each(["serve-email", "serve-auth", "dev"])(
    "does not start %s on a broken template, and says where it is broken",
    async (command) => {
      using directory = temporaryDirectory();
      mkdirSync(join(directory.path, "templates"));
      const write = (name: string, text: string) =>
        writeFileSync(join(directory.path, "templates", name), text);
      write("welcome.subject.txt", "Hello");
      write("welcome.html", "<p>\n\nHello {{usrname}}</p>");
      write("welcome.txt", "Hello {{#username}}");
      const environment = {
        TEMPLATE_DIR: "templates",
        AUTH_SERVICE_PORT: "0",
        EMAIL_SERVICE_PORT: "0",
      };
      const ended = await runInstant([command], { directory: directory.path, environment });
      expect(ended.exitCode).toBe(2);
      expect(ended.stderr).toContain("TEMPLATE_DIR welcome.html:3 uses an unknown value, usrname");
      expect(ended.stderr).toContain(
        "TEMPLATE_DIR welcome.txt:1 is not Mustache: unclosed section",
      );
    },
  );

  test("refuses a port for the preview that is none", async () => {
    using directory = temporaryDirectory();
    const ended = await runInstant(["preview", "--port", "x"], { directory: directory.path });
    expect(ended.exitCode).toBe(2);
    expect(ended.stderr).toContain("--port must be 0 to 65535");
  });
});
