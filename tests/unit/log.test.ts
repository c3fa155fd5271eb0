import { describe, expect, test } from "bun:test";
import { createLog, formatLogLine, logText, runInTraceContext } from "../../src/core/log.ts";
import { expectNoSecretsIn } from "../../support/log-secrets.ts";

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

describe("a line of prebuilt text", () => {
  const trace = {
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    flags: "01",
  };
  const fields = { messageID: "m-1", recipient: 'ö"***@example.com', partition: 2 };
  const text = JSON.stringify(fields).slice(1, -1);
  const withoutTime = (line: string) => line.replace(/"time":"[^"]*"/, '"time":""');

  test("is byte for byte what pino writes, with and without a trace, for a child too", () => {
    const lines: string[] = [];
    const log = createLog({
      service: "email-service",
      level: "info",
      write: (line) => lines.push(withoutTime(line)),
    });
    for (const each of [log, log.child({ part: "worker" })]) {
      for (const given of [undefined, trace]) {
        runInTraceContext(given, () => each.info(fields, "Email event consumed"));
        logText(each, text, "Email event consumed", given);
      }
    }
    expect(lines).toHaveLength(8);
    for (let at = 0; at < lines.length; at += 2) expect(lines[at + 1]).toBe(lines[at] ?? "");
    expect(lines[2]).toContain(trace.traceId);
  });

  test("is not written below the level", () => {
    const lines: string[] = [];
    const log = createLog({ service: "x", level: "warn", write: (line) => lines.push(line) });
    logText(log, text, "Email event consumed", undefined);
    expect(lines).toEqual([]);
  });
});

describe("a log line for a person", () => {
  test("has the time, the level, the guide's phrase and each field", () => {
    expect(linesOf({ messageID: "m-1", reason: "two words", count: 2 })).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} INFO {2}email-service Email event consumed {2}messageID=m-1 reason="two words" count=2\n$/,
    );
  });

  test("prints a text of several lines below itself", () => {
    expect(linesOf({ text: "Hello,\r\nyour code\n" })).toEndWith(
      "Email event consumed\n  text:\n    Hello,\n    your code\n",
    );
  });

  test("never moves the cursor or changes the colour, whatever is logged", () => {
    const evil = "\x1b[2J\x07";
    expect(linesOf({ evil, text: `a\n${evil}` })).toMatch(/^[^\p{Cc}]*\n(?:[^\p{Cc}]*\n)*$/u);
  });

  test("has colours only if wanted", () => {
    expect(linesOf({})).not.toContain("\x1b[");
    expect(linesOf({}, true)).toContain("\x1b[32mINFO ");
  });
});

const line = (fields: object) => `${JSON.stringify({ level: "info", ...fields })}\n`;
const token = "a".repeat(43);

describe("the check for secrets in logs", () => {
  test.each([
    ["a code in a field", line({ msg: "x", error: "the code 123456 is wrong" })],
    ["a code deep inside", line({ msg: "x", data: { list: [{ code: "123456" }] } })],
    ["a code as a field name", line({ msg: "x", codes: { "123456": 1 } })],
    ["a code in a plain line", "code=123456\n"],
    ["a token in a path", line({ msg: "x", path: `/a?token=${token}` })],
    ["a full address", line({ msg: "x", to: "Ana Lee <ana.lee+x@mail.example.com>" })],
    ["a mail's text in another line", line({ msg: "x", text: "Your code: 123456" })],
    [
      "more than the text of a mail in the inbox",
      line({ msg: "Email kept in the inbox", to: "a@x.org" }),
    ],
    ["a code in a line that was cut off", '{"level":"info","msg":"your code 123456'],
  ])("finds %s", (_, output) => {
    expect(() => expectNoSecretsIn(`fine\n${output}`)).toThrow("the log tells");
  });

  test.each([
    ["a masked address", line({ msg: "x", recipient: "a***@example.com" })],
    [
      "the text of a mail in the inbox",
      line({ msg: "Email kept in the inbox", text: "Code: 123456" }),
    ],
    ["numbers", line({ msg: "x", offset: 123456, pid: 654321 })],
    ["ids and times", line({ time: "2026-01-01T00:00:00.123456Z", id: crypto.randomUUID() })],
    ["longer digits", line({ msg: "queued as 1234567" })],
  ])("lets %s pass", (_, output) => {
    expect(() => expectNoSecretsIn(output)).not.toThrow();
  });
});
