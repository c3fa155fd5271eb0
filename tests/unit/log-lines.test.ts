import { describe, expect, test } from "bun:test";
import { createLog, formatLogLine } from "../../src/core/log.ts";

function linesOf(fields: object, colour = false): string {
  let written = "";
  const write = (line: string) => {
    written += formatLogLine(line, { colour });
  };
  createLog({ service: "email-service", level: "info", write }).info(
    fields,
    "Email event consumed",
  );
  return written;
}

describe("a log line for a person", () => {
  test("has the time, the level, the guide's phrase and each field", () => {
    expect(linesOf({ messageID: "m-1", reason: "two words", count: 2 })).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} INFO {2}email-service Email event consumed {2}messageID=m-1 reason="two words" count=2\n$/,
    );
  });

  test("puts a text of several lines below itself", () => {
    expect(linesOf({ text: "Hello,\r\nyour code\n" })).toEndWith(
      "Email event consumed\n  text:\n    Hello,\n    your code\n",
    );
  });

  test("lets nothing that was logged move the cursor or change the colour", () => {
    const evil = "\x1b[2J\x07";
    expect(linesOf({ evil, text: `a\n${evil}` })).toMatch(/^[^\p{Cc}]*\n(?:[^\p{Cc}]*\n)*$/u);
  });

  test("has colours only when asked", () => {
    expect(linesOf({})).not.toContain("\x1b[");
    expect(linesOf({}, true)).toContain("\x1b[32mINFO ");
  });
});
