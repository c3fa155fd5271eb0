import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { examineWith, findTrouble, troubles } from "../support/doctor.ts";

describe("doctor at TEMPLATE_DIR", () => {
  test("tells which line of which file a service would refuse, until it is mended", async () => {
    using directory = temporaryDirectory();
    const write = (name: string, text: string) => writeFileSync(join(directory.path, name), text);
    write("welcome.subject.txt", "Hello");
    write("welcome.html", "<p>\n{{usrname}}</p>");
    write("welcome.txt", "Hello {{unsubscribe_link}}");
    const broken = await examineWith({ TEMPLATE_DIR: directory.path });
    expect(broken.exitCode).toBe(1);
    const { text } = findTrouble(broken.findings, "templates.sound");
    expect(text).toStartWith("welcome.html:2 uses an unknown value, usrname");
    write("welcome.html", "<p>{{username}} {{unsubscribe_link}}</p>");
    const mended = await examineWith({ TEMPLATE_DIR: directory.path });
    expect(troubles(mended.findings)).toEqual([]);
    expect(mended.findings.map(({ check }) => check)).toContain("templates.sound");
  });
});
