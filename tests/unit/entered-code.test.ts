import { describe, expect, test } from "bun:test";
import { codeSchema, findCode } from "../../src/auth/schemas.ts";
import { pastedCodes } from "../support/pasted-codes.ts";

describe("in what was pasted", () => {
  test.each(pastedCodes)("%j the code is %p", (text, code) => {
    expect(findCode(text)).toBe(code);
  });
});

test("the digits of every script are digits", () => {
  let scripts = 0;
  for (let point = 0; point < 0x110000; point += 1) {
    if (point >= 0xd800 && point < 0xe000) continue;
    const digit = String.fromCodePoint(point);
    if (!/\p{Nd}/u.test(digit)) continue;
    scripts += 1;
    const { data } = codeSchema.safeParse(digit.repeat(6));
    const value = /^[0-9]$/.test(digit.normalize("NFKC")) ? digit.normalize("NFKC") : undefined;
    expect({ point, data }).toMatchObject({ point, data: expect.stringMatching(/^([0-9])\1{5}$/) });
    if (value !== undefined) expect({ point, data }).toEqual({ point, data: value.repeat(6) });
  }
  expect(scripts % 10).toBe(0);
  expect(scripts).toBeGreaterThan(600);
});

test.each([
  ["٠١٢٣٤٥", "012345"],
  ["۶۷۸۹۰۱", "678901"],
  ["०१२३४५", "012345"],
  ["๐๑๒๓๔๕", "012345"],
  ["０１２３４５", "012345"],
  ["12٣٤۵۶", "123456"],
  ["123\u2011456", "123456"],
  ["\u200f123456\u200f", "123456"],
])("the API takes %j for %s", (text, code) => {
  expect(codeSchema.parse(text)).toBe(code);
});

test.each(["12345", "1234567", "code 123456", "12345a", "½23456", "①②③④⑤⑥", "一二三四五六"])(
  "the API refuses %j",
  (text) => {
    expect(codeSchema.safeParse(text).success).toBe(false);
  },
);
