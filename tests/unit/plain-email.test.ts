import { expect, test } from "bun:test";
import { requestCodeBody } from "../../src/auth/request-code.ts";
import { findPlainEmail } from "../../src/auth/schemas.ts";
import { SeededRandom } from "../support/seeded-random.ts";

/** Pieces of which addresses are made, and what is wrong with them. */
const pieces = [
  ...'abz09ABZ.-_+@ ,;:<>()[]\\"\t\u0000\u00ad\u200bäßИ中\u0130\u212a\ufe0f',
  "ana",
  "example",
  "@example",
  ".com",
  ".c",
  ".123",
  ".localhost",
  "@localhost",
  "xn--bcher-kva",
  "xn--",
  "a--b",
  "-a.",
  "a-.",
  "..",
  "x".repeat(30),
  "y".repeat(63),
  "z".repeat(64),
  "1".repeat(200),
];

function compare(body: unknown): boolean {
  const plain = findPlainEmail(body);
  if (plain === undefined) return false;
  const parsed = requestCodeBody.safeParse(body);
  expect({ body, email: parsed.data?.email }).toEqual({ body, email: plain });
  return true;
}

const good = ["ana@example.com", "a.b+c_d@mail.x-y.example.org", "a@b.co", "7@1.2.info"];

test("what is taken without zod, zod takes as it is", () => {
  const random = new SeededRandom(14);
  let taken = 0;
  for (let round = 0; round < 100_000; round += 1) {
    let email = good[random.below(good.length)] ?? "";
    for (let change = random.below(4); change > 0; change -= 1) {
      const at = random.below(email.length + 1);
      const piece = pieces[random.below(pieces.length)] ?? "";
      email = email.slice(0, at) + piece + email.slice(at + random.below(3));
    }
    if (compare({ email })) taken += 1;
  }
  expect(taken).toBeGreaterThan(30_000);
});

test.each([
  "a@b.co",
  "ana@example.com",
  "first.last+tag@mail.example.co",
  "a_b-c@x1-y2.example.org",
])("%s is taken without zod", (email) => {
  expect(compare({ email, more: 1 })).toBe(true);
});

test.each([
  [null],
  ["a@b.co"],
  [["a@b.co"]],
  [{}],
  [{ email: 7 }],
  [{ email: ["a@b.co"] }],
  [{ email: " a@b.co" }],
  [{ email: "A@b.co" }],
  [{ email: `${"a".repeat(65)}@b.co` }],
  [{ email: `a@${"b".repeat(64)}.co` }],
  [{ email: `a@${"b.".repeat(130)}co` }],
])("%j is left to zod", (body) => {
  expect(findPlainEmail(body)).toBeUndefined();
});
