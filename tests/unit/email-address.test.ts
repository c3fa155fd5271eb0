import { describe, expect, test } from "bun:test";
import { domainToASCII } from "node:url";
import {
  addressFault,
  addressProblem,
  canonicalAddress,
  isAtLocalhost,
  parseEmailAddress,
  parseMailbox,
} from "../../src/core/email-address.ts";
import { recipientKey } from "../../src/email/event.ts";
import { SeededRandom } from "../support/seeded-random.ts";

describe("a domain is no host of a URL", () => {
  test.each([
    "ana@example.org/x",
    "ana@example.org/",
    "ana@example.org?x",
    "ana@example.org#.corp.com",
    "ana@example.org\\",
    "ana@example.org\\.corp.com",
    "ana@example.org:25",
    "ana@exam%70le.org",
    "ana@%65xample.org",
    "ana@exam\tple.org",
    "ana@exam\nple.org",
    "ana@exam\r\nple.org",
    "ana@exam\0ple.org",
    "ana@user:pass@example.org",
    "ana@exam|ple.org",
    "ana@exam^ple.org",
    "ana@exam<ple.org",
    "ana@exam_ple.org",
    "ana@exam ple.org",
    "ana@exam,ple.org",
    "ana@[192.0.2.1]",
    "ana@[IPv6:2001:db8::1]",
    "ana@192.0.2.1",
    "ana@0300.0250.1.1",
    "ana@0xc0.0xa8.0.0x1",
    "ana@1.0x7f",
    "ana@example.0x",
    "ana@3232235777.1",
    "ana@①.②",
    "ana@１９２．０．２．１",
    "ana@example.org.",
    "ana@.example.org",
    "ana@example..org",
    "ana@example。",
    "ana@-example.org",
    "ana@example-.org",
    "ana@example.org-",
    "ana@example",
    "ana@",
    "ana@xn--",
    "ana@xn--.org",
    "ana@xn--a.org",
    "ana@xn--a-ecp.ru",
    "ana@xn--example-.org",
    "ana@xn--ls8h=.la",
    "ana@xn--fa-hia.de/x",
    "ana@bücher.example/x",
    "ana@bücher.example\\",
    "ana@bücher.example?x",
    "ana@bücher.example#x",
    "ana@b%C3%BCcher.example",
    "ana@bücher.example:25",
    "ana@bücher℀.example",
    "ana@bücher／x.example",
    "ana@bücher﹪41.example",
    "ana@-bücher.example",
    "ana@bücher-.example",
    "ana@bü--cher.example",
    "ana@\u0301bücher.example",
    "ana@א1a.example",
    `ana@${"a".repeat(64)}.org`,
    `ana@${"ü".repeat(63)}.org`,
  ])("%j is refused", (text) => {
    expect(parseMailbox(text)).toBeUndefined();
    expect(parseEmailAddress(text)).toBeUndefined();
  });

  test.each([
    ["ana@EXAMPLE.Org", "ana@example.org"],
    ["ana@a--b.example", "ana@a--b.example"],
    ["ana@Bücher.example", "ana@xn--bcher-kva.example"],
    ["ana@bu\u0308cher.example", "ana@xn--bcher-kva.example"],
    ["ana@XN--BCHER-KVA.example", "ana@xn--bcher-kva.example"],
    ["ana@faß.de", "ana@xn--fa-hia.de"],
    ["ana@ΣΊΣΥΦΟΣ.gr", "ana@xn--kxa6akbbkh.gr"],
    ["ana@例え。テスト", "ana@xn--r8jz45g.xn--zckzah"],
    ["ana@ｅｘａｍｐｌｅ．ｏｒｇ", "ana@example.org"],
    ["ana@نامه\u200cای.com", "ana@xn--mgba3gch31f060k.com"],
    ["ana@localhost", "ana@localhost"],
    [`ana@${"a".repeat(63)}.org`, `ana@${"a".repeat(63)}.org`],
  ])("%j is sent to as %s", (text, mailbox) => {
    expect(parseMailbox(text)).toBe(mailbox);
  });
});

describe("every spelling of one address has one form", () => {
  test.each([
    [
      "composed and decomposed accents",
      "josé@example.org",
      ["jose\u0301@example.org", "JOSÉ@Example.org"],
    ],
    [
      "full-width letters",
      "user@example.org",
      ["ＵＳＥＲ＠ｅｘａｍｐｌｅ．ｏｒｇ", "ＵＳＥＲ@example.org"],
    ],
    ["half-width kana", "ガ@example.org", ["ｶﾞ@example.org", "カ\u3099@example.org"]],
    ["a Kelvin sign", "k@example.org", ["\u212a@example.org"]],
    [
      "a letter that is composed only in lower case",
      "ǰ@example.org",
      ["J\u030c@example.org", "j\u030c@example.org"],
    ],
    ["a dotted capital I", "i\u0307@example.org", ["\u0130@example.org", "I\u0307@example.org"]],
  ])("%s", (_, canonical, spellings) => {
    for (const text of [canonical, ...spellings]) {
      expect(parseEmailAddress(text)).toBe(canonical);
      expect(recipientKey(parseMailbox(text) ?? "")).toBe(recipientKey(canonical));
    }
  });

  test("tags and dots are kept, and so is the case of what is sent to", () => {
    expect(parseEmailAddress("A.na+Tag@example.org")).toBe("a.na+tag@example.org");
    expect(parseMailbox("A.na+Tag@Example.org")).toBe("A.na+Tag@example.org");
  });
});

test.each([
  ["\u0301ana@example.org", "shape"],
  ["ana.\u0301b@example.org", "shape"],
  ["\u20e3ana@example.org", "shape"],
  ["ana", "shape"],
  ["@example.org", "shape"],
  ["a@b@example.org", "shape"],
  ["a﹫b@example.org", "shape"],
  ["﹤ana﹥@example.org", "shape"],
  [".ana@example.org", "shape"],
  ["an..a@example.org", "shape"],
  ['"an a"@example.org', "unseen"],
  ['"ana"@example.org', "shape"],
  ["an\ud800a@example.org", "shape"],
  ["an\ue000a@example.org", "shape"],
  ["ana%corp.com@example.org", "route"],
  ["corp.com!ana@example.org", "route"],
  ["ana％corp.com@example.org", "route"],
  [`${"a".repeat(65)}@example.org`, "long"],
  [`${"é".repeat(33)}@example.org`, "long"],
  [`${"İ".repeat(32)}@example.org`, "long"],
  [`ana@${"abcdefg.".repeat(31)}org`, "long"],
  [`ana@${"x".repeat(2000)}`, "long"],
  ["ana@example", "domain"],
] as const)("what is wrong with %j is: %s", (text, fault) => {
  expect(parseEmailAddress(text)).toBeUndefined();
  expect(addressFault(text)).toBe(fault);
});

test("254 bytes are not too long", () => {
  const address = `${"a".repeat(64)}@${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(57)}.org`;
  expect(address).toHaveLength(254);
  expect(parseEmailAddress(address)).toBe(address);
});

describe("invisible characters", () => {
  const signs = [
    "\u200b",
    "\u200c",
    "\u200d",
    "\u200e",
    "\u200f",
    "\u202a",
    "\u202b",
    "\u202c",
    "\u202d",
    "\u202e",
    "\u2060",
    "\u2066",
    "\u2069",
    "\ufeff",
    "\u00a0",
    "\u00ad",
    "\u034f",
    "\u061c",
    "\u115f",
    "\u180e",
    "\u2007",
    "\u202f",
    "\u2028",
    "\u2800",
    "\u3000",
    "\u3164",
    "\ufe0f",
    "\uffa0",
    "\u{e0001}",
    "\u{e0100}",
    " ",
    "\t",
    "\n",
    "\r\n",
  ];

  test.each(signs)("%j is dropped around an address, and named inside", (sign) => {
    for (const text of [
      `${sign}ana@example.org`,
      `ana@example.org${sign}`,
      `${sign}${sign}ana@example.org ${sign}`,
    ]) {
      expect(parseEmailAddress(text)).toBe("ana@example.org");
    }
    for (const text of [
      `a${sign}na@example.org`,
      `ana${sign}@example.org`,
      `ana@exam${sign}ple.org`,
      `ana@${sign}example.org`,
    ]) {
      expect(parseMailbox(text)).toBeUndefined();
      const isJoiner = sign === "\u200c" || sign === "\u200d";
      if (!isJoiner || text.indexOf(sign) < text.indexOf("@")) {
        expect(addressProblem(text)).toContain("without spaces or invisible characters inside");
      }
    }
  });

  test("control characters are not dropped", () => {
    for (const text of ["\0ana@example.org", "ana@example.org\0", "ana@example.org\x7f"]) {
      expect(parseMailbox(text)).toBeUndefined();
      expect(addressFault(text)).toBe("unseen");
    }
  });
});

const scripts = [
  "abcdefghijklmnopqrstuvwxyz0123456789",
  "äöüßéñçøåœ",
  "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
  "αβγδεζηθικλμνξοπρσςτυφχψω",
  "ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
  "אבגדהוזחטיכלמנסעפצקרשת",
  "अआइईउऊएऐओऔकखगघचछजझटठडढतथदधनपफबभमयरलवशषसह",
  "กขคงจฉชซญดตถทธนบปผฝพฟภมยรลวศษสหฬอฮ",
  "あいうえおかきくけこさしすせそアイウエオ",
  "中文网络域名例子公司",
  "가나다라마바사아자차카타파하한국",
  "აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ",
];

test("a valid domain is what UTS #46 makes of it", () => {
  const random = new SeededRandom(46);
  let beyondAscii = 0;
  for (let round = 0; round < 20_000; round += 1) {
    const labels = Array.from({ length: 2 + random.below(2) }, () => {
      const letters = [...(random.pick(scripts) ?? "")];
      const label = Array.from({ length: 1 + random.below(10) }, () => random.pick(letters)).join(
        "",
      );
      return random.chance(0.3) ? label.toUpperCase() : label;
    });
    const name = [...labels, random.pick(["com", "РФ", "中国"])].join(
      random.chance(0.1) ? "。" : ".",
    );
    const domain = domainToASCII(name);
    if (domain === "") continue; // by its rules for right-to-left names
    if (domain.includes("xn--")) beyondAscii += 1;
    expect({ name, mailbox: parseMailbox(`ana@${name}`) }).toEqual({
      name,
      mailbox: `ana@${domain}`,
    });
  }
  expect(beyondAscii).toBeGreaterThan(10_000);
});

/** Pieces of addresses, and what has broken parsers. */
const pieces = [
  ..."abzAZ09.-_+@@ ,;:<>()[]\\\"'`|/?#%!&=*^~{}\t\r\n\0\x7f\u0085\u00ad\u00a0\u200b\u200d\u202e\ufeff\ufe0f",
  ..."äßéİıſΣςǰКﬁ①℀﹫﹪．＠％／：ＡＺ。｡ｶﾞ\u0301\u20e3\u0345\u3000\u3164א1ا١中文🙂\u{1d7d8}\ue000",
  "\ud800",
  "ana",
  "example",
  "@example",
  ".com",
  ".org",
  "xn--",
  "xn--bcher-kva",
  "bücher",
  "localhost",
  "--",
  "..",
  "x".repeat(30),
  "y".repeat(63),
  "é".repeat(20),
  "1.2.3.4",
  "0x7f",
];
const starts = [
  "ana@example.org",
  "First.Last+tag@mail.example.co",
  "a_b-c@x1-y2.example.org",
  "jose\u0301@bücher.example",
  "ＵＳＥＲ＠ｅｘａｍｐｌｅ．ｏｒｇ",
  "我@例え.テスト",
  "",
];

function* randomAddresses(count: number): Generator<string> {
  const random = new SeededRandom(5321);
  for (let round = 0; round < count; round += 1) {
    let text = random.pick(starts) ?? "";
    for (let change = random.below(4); change > 0; change -= 1) {
      const at = random.below(text.length + 1);
      const piece = random.chance(0.2)
        ? String.fromCodePoint(random.below(0x3000))
        : (random.pick(pieces) ?? "");
      text = text.slice(0, at) + piece + text.slice(at + random.below(3));
    }
    yield text;
  }
}

test("whatever is an address has only what SMTP and headers may carry, and stays what it is", () => {
  let parsed = 0;
  for (const text of randomAddresses(100_000)) {
    const mailbox = parseMailbox(text);
    const address = parseEmailAddress(text);
    if (mailbox === undefined) {
      expect({ text, address }).toEqual({ text, address: undefined });
      expect(addressProblem(text)).toStartWith("must be an e-mail address");
      continue;
    }
    parsed += 1;
    const isCarried =
      /^[^\p{C}\p{Z}\s<>()[\]\\,;:"@%!.]+(?:\.[^\p{C}\p{Z}\s<>()[\]\\,;:"@%!.]+)*@[a-z0-9.-]+$/u.test(
        mailbox,
      ) &&
      Buffer.byteLength(mailbox) <= 254 &&
      Buffer.byteLength(mailbox.slice(0, mailbox.indexOf("@"))) <= 64 &&
      mailbox.normalize("NFC") === mailbox;
    expect({ text, mailbox, isCarried }).toEqual({ text, mailbox, isCarried: true });
    expect({ text, again: parseMailbox(mailbox) }).toEqual({ text, again: mailbox });
    if (address === undefined) continue; // too long in lower case
    expect({ text, canonical: canonicalAddress(mailbox) }).toEqual({ text, canonical: address });
    expect({ text, again: parseEmailAddress(address) }).toEqual({ text, again: address });
  }
  expect(parsed).toBeGreaterThan(20_000);
});

test("the fast path returns what the full one does", () => {
  let plain = 0;
  for (const text of randomAddresses(100_000)) {
    const mailbox = parseMailbox(text);
    if (mailbox === text) plain += 1;
    expect({ text, mailbox: parseMailbox(` ${text}`) }).toEqual({ text, mailbox });
  }
  expect(plain).toBeGreaterThan(10_000);
});

test.each([
  ["root@localhost", true],
  ["root@mail.localhost", true],
  ["root@localhost.localdomain", true],
  ["root@localhost.example.org", false],
  ["localhost@example.org", false],
  ["ana@mylocalhost.example", false],
] as const)("%s is at localhost: %p", (address, expected) => {
  expect(isAtLocalhost(address)).toBe(expected);
});
