import { expect, test } from "bun:test";
import { domainToASCII } from "node:url";
import { shownAddress } from "../../src/core/shown-address.ts";

test.each([
  "ana@bücher.de",
  "ana@mail.straßen-café.example",
  "ana@пример.рф",
  "ana@почта.example",
  "ana@παράδειγμα.ελ",
  "ana@مثال.إختبار",
  "ana@דוגמה.example",
  "ana@例え.テスト",
  "ana@日本語ドメイン.jp",
  "ana@中文.cn",
  "ana@한국.kr",
  "ana@ไทย.example",
  "ana@उदाहरण.भारत",
  "ana@şehir2.example",
])("%s is shown as people write it", (address) => {
  const domain = domainToASCII(address.slice(4));
  expect(domain).toContain("xn--");
  expect(shownAddress(`ana@${domain}`)).toBe(address);
});

test.each([
  ["Latin with a Cyrillic letter", "pаypal.com"],
  ["Latin with a Greek letter", "gοogle.com"],
  ["Latin with Katakana like a slash", "googleﾉcom.example.com"],
  ["Latin with Han like a stroke", "l一l.com"],
  ["Latin with Han like a box", "口ogin.com"],
  ["Latin with a Japanese dash", "googleーcom.jp"],
  ["Cyrillic and Latin in a word", "почтаmail.example"],
  ["Cyrillic that all looks Latin", "сосо.com"],
  ["Armenian that all looks Latin", "սոօ.com"],
  ["Japanese with Cyrillic", "日本а.jp"],
  ["Latin of phonetics", "ɡoogle.com"],
  ["the dotless i", "pаypaı.com"],
  ["a symbol", "i❤.ws"],
  ["a middle dot", "a·b.example"],
])("a domain with %s keeps its ASCII form", (_, shown) => {
  const domain = domainToASCII(shown);
  expect(domain).toContain("xn--");
  expect(shownAddress(`ana@${domain}`)).toBe(`ana@${domain}`);
});

test("one that looks Latin is shown where its country writes so", () => {
  const address = `ana@${domainToASCII("сосо.рф")}`;
  expect(shownAddress(address)).toBe("ana@сосо.рф");
});

test("all others are as they were, whatever they are", () => {
  for (const text of [
    "ana@example.com",
    "xn--",
    "ana@xn--",
    "ana@xn--a.com",
    "a@b@xn--zzz--.x",
    "",
  ]) {
    expect(shownAddress(text)).toBe(text);
  }
});
