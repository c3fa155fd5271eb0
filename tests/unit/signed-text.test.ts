import { expect, test } from "bun:test";
import { signText, verifyText } from "../../src/core/secret.ts";

const key = "a key that is long enough for tests";
const signedAt = Date.UTC(2026, 0, 1);
const text = signText(key, { purpose: "note", parts: ["a", "b-c"], signedAt });
const verify = (given: string, changes = {}) =>
  verifyText(given, { purpose: "note", keys: [key], lifeMs: 60_000, now: signedAt, ...changes });

test("a signed text comes back in its parts, with its time", () => {
  expect(verify(text)).toEqual({ kind: "valid", parts: ["a", "b-c"], signedAt });
  const alone = signText(key, { purpose: "note", parts: [], signedAt });
  expect(verify(alone)).toEqual({ kind: "valid", parts: [], signedAt });
});

test("its life ends to the millisecond, counted from the second of signing", () => {
  expect(verify(text, { now: signedAt + 59_999 }).kind).toBe("valid");
  expect(verify(text, { now: signedAt + 60_000 }).kind).toBe("expired");
});

test("it is forged for another purpose or key, and good while one of the keys is its own", () => {
  expect(verify(text, { purpose: "session" }).kind).toBe("forged");
  expect(verify(text, { keys: ["another"] }).kind).toBe("forged");
  expect(verify(text, { keys: ["another", key] }).kind).toBe("valid");
});

test.each(["", ".", "...", "x".repeat(9_000), `.${text}`, `${text}.`, text.replace("a.b", "ab")])(
  "anything else is forged",
  (given) => {
    expect(verify(given).kind).toBe("forged");
  },
);
