import { expect, test } from "bun:test";
import { recipientKey } from "../../src/email/event.ts";
import {
  parseSuppressionCsv,
  printSuppressionCsv,
} from "../../src/email/suppressions/suppression-csv.ts";
import type { Suppression } from "../../src/email/suppressions/suppression-store.ts";

const now = Date.UTC(2026, 0, 1);
const entry = (address: string, changed: Partial<Suppression> = {}): Suppression => ({
  key: recipientKey(address),
  address,
  reason: "bounced",
  note: undefined,
  createdAt: now,
  expiresAt: now + 1_000,
  ...changed,
});
const entriesOf = (text: string) => {
  const parsed = parseSuppressionCsv(text, now);
  if (parsed.kind === "refused") throw new Error(JSON.stringify(parsed.problems));
  return parsed.entries;
};
const problemsOf = (text: string) => {
  const parsed = parseSuppressionCsv(text, now);
  return parsed.kind === "refused" ? parsed.problems : [];
};

test("what is printed is read again as it was, whatever stands in it", () => {
  const entries = [
    entry("ana@example.com"),
    entry("=cmd|calc@example.com", { note: '+1, "quoted", it\'s; ü' }),
    entry("o'neil@example.com", { reason: "manual", expiresAt: undefined, note: "'tis" }),
    entry("gone@example.com", { address: undefined, reason: "complained" }),
  ];
  const text = printSuppressionCsv(entries, { withNames: true });
  expect(entriesOf(text)).toEqual(entries);
});

test("nothing that is printed begins like a formula of a spreadsheet", () => {
  const text = printSuppressionCsv([entry("=x@example.com", { note: "@sum(a)" })], {
    withNames: false,
  });
  expect(text).toStartWith("'=x@example.com,");
  expect(text).toContain(",'@sum(a),");
});

test("a list of addresses alone is read as entries of an operator without an end", () => {
  const entries = entriesOf("Ana@Example.com\r\n\r\nben@example.com");
  const manual = { reason: "manual", expiresAt: undefined } as const;
  expect(entries).toEqual([entry("ana@example.com", manual), entry("ben@example.com", manual)]);
});

test("columns are found by their names, in any order, beside others", () => {
  const text = "\uFEFFReason, ADDRESS ,origin\nComplained, ana@example.com ,spam\n";
  expect(entriesOf(text)).toMatchObject([{ address: "ana@example.com", reason: "complained" }]);
});

test.each([
  ["address\nana@example.com\nnobody\n", 3, "address must be an e-mail address"],
  ["address,reason\nana@example.com,because\n", 2, "reason must be one of"],
  ["address,expires_at\nana@example.com,tomorrow\n", 2, "expires_at must be a time"],
  ["address,key\n,nokey\n", 2, "key must be 32 hex digits"],
  ["name,reason\nana,manual\n", 2, "the line has neither an address nor a key"],
  ["address,reason\nana@example.com\n", 2, "is not CSV"],
  ['address\n"ana@example.com\n', 2, "is not CSV"],
  [`address,note\nana@example.com,${"x".repeat(5_000)}\n`, 2, "is not CSV"],
  ["ana@example.com\nnobody\n", 2, "address must be an e-mail address"],
])("%j is refused, naming the line", (text, line, problem) => {
  expect(problemsOf(text)).toEqual([
    { line, problem: expect.stringContaining(problem) as unknown as string },
  ]);
});

test("of a file full of faults the first 20 are told, and no cell is shown", () => {
  const problems = problemsOf(`address\n${"secret person\n".repeat(1_000)}`);
  expect(problems).toHaveLength(20);
  expect(JSON.stringify(problems)).not.toContain("secret");
});
