import { describe, expect, test } from "bun:test";
import { expectNoSecretsIn } from "../../support/log-secrets.ts";

const line = (fields: object) => `${JSON.stringify({ level: "info", ...fields })}\n`;
const token = "a".repeat(43);

describe("the watch over logs", () => {
  test.each([
    ["a code in a field", line({ msg: "x", error: "the code 123456 is wrong" })],
    ["a code deep inside", line({ msg: "x", data: { list: [{ code: "123456" }] } })],
    ["a code as the name of a field", line({ msg: "x", codes: { "123456": 1 } })],
    ["a code in a plain line", "code=123456\n"],
    ["a token in a path", line({ msg: "x", path: `/a?token=${token}` })],
    ["a whole address", line({ msg: "x", to: "Ana Lee <ana.lee+x@mail.example.com>" })],
    ["the text of a mail in another line", line({ msg: "x", text: "Your code: 123456" })],
    ["more than the text of a kept mail", line({ msg: "Email kept in the inbox", to: "a@x.org" })],
    ["a code in a line that was cut off", '{"level":"info","msg":"your code 123456'],
  ])("finds %s", (_, output) => {
    expect(() => expectNoSecretsIn(`fine\n${output}`)).toThrow("the log tells");
  });

  test.each([
    ["a masked address", line({ msg: "x", recipient: "a***@example.com" })],
    ["the text of a kept mail", line({ msg: "Email kept in the inbox", text: "Code: 123456" })],
    ["numbers", line({ msg: "x", offset: 123456, pid: 654321 })],
    ["ids and times", line({ time: "2026-01-01T00:00:00.123456Z", id: crypto.randomUUID() })],
    ["longer digits", line({ msg: "queued as 1234567" })],
  ])("lets %s pass", (_, output) => {
    expect(() => expectNoSecretsIn(output)).not.toThrow();
  });
});
