import { expect, test } from "bun:test";
import { parseOptions } from "../../../scripts/faults/chaos.ts";
import type { MailResult } from "../../../scripts/faults/tally.ts";
import { findBreach, renderTable, tallyResults } from "../../../scripts/faults/tally.ts";
import { codeEvent, welcomeEvent } from "../../../support/events.ts";

const usual = {
  accepted: 1,
  deadLetter: undefined,
  expired: false,
  inWindow: 0,
  refused: false,
  beforeDot: false,
};
const byDot = { inWindow: 1, beforeDot: true } as const;
const code = (result: Partial<MailResult> = {}): MailResult => ({
  ...usual,
  event: codeEvent(),
  ...result,
});
const welcome = (result: Partial<MailResult> = {}): MailResult => {
  return { ...usual, event: welcomeEvent(), ...result };
};

test.each([
  ["a mail sent once", code()],
  ["a code that expired", code({ accepted: 0, expired: true })],
  ["a code sent again in the window", code({ accepted: 2, inWindow: 1 })],
  [
    "a code given up after two windows",
    code({ accepted: 2, inWindow: 2, deadLetter: "ambiguous" }),
  ],
  ["a mail given up in the window", welcome({ accepted: 0, inWindow: 1, deadLetter: "ambiguous" })],
  [
    "a mail sent and given up in it",
    welcome({ accepted: 1, inWindow: 1, deadLetter: "ambiguous" }),
  ],
  ["a code sent after a fault before the dot", code(byDot)],
  ["a mail given up before the dot", welcome({ ...byDot, accepted: 0, deadLetter: "ambiguous" })],
  [
    "a refused mail with its dead letter",
    code({ accepted: 0, refused: true, deadLetter: "rejected" }),
  ],
] as const)("keeps the promise: %s", (_, result) => {
  expect(findBreach(result)).toBeUndefined();
});

test.each([
  ["a mail nobody has", code({ accepted: 0 })],
  ["a mail nobody has, in the window", code({ accepted: 0, inWindow: 1 })],
  ["a code sent twice outside the window", code({ accepted: 2 })],
  ["a code sent twice, though no dot was written", code({ ...byDot, accepted: 2 })],
  ["a mail sent and given up, though no dot was", welcome({ ...byDot, deadLetter: "ambiguous" })],
  ["a code sent three times", code({ accepted: 3, inWindow: 2 })],
  ["another mail sent twice", welcome({ accepted: 2, inWindow: 1 })],
  ["a living code given up", code({ accepted: 1, inWindow: 1, deadLetter: "ambiguous" })],
  ["a mail given up outside the window", welcome({ accepted: 0, deadLetter: "ambiguous" })],
  ["a mail whose retries ran out", welcome({ accepted: 0, deadLetter: "retries_exhausted" })],
  ["a mail sent and given up", welcome({ deadLetter: "rejected", refused: true })],
] as const)("breaks the promise: %s", (_, result) => {
  expect(findBreach(result)).toBeString();
});

test("counts results and renders them as a table", () => {
  const results = [
    code(),
    code({ accepted: 2, inWindow: 1 }),
    welcome({ accepted: 0, inWindow: 1, deadLetter: "ambiguous" }),
    welcome({ accepted: 0 }),
  ];
  const tally = tallyResults(results);
  expect(tally).toEqual({
    mails: 4,
    inWindow: 2,
    lost: 1,
    once: 1,
    twice: 1,
    deadLetters: { ambiguous: 1 },
  });
  const rows = [{ name: "after 250", tally: { ...tally, breaches: [] }, note: "quickly" }];
  expect(renderTable("killed at", rows)).toEndWith(
    "| after 250: quickly ✗ | 4 | 2 | 1 | 1 | 1 | 1 ambiguous |",
  );
});

test("parses the options, and reports what is wrong with them", () => {
  expect(parseOptions([])).toMatchObject({ kills: 30, freezes: 6, quick: false });
  expect(parseOptions(["--quick", "--json"])).toMatchObject({ kills: 3, freezes: 1, json: true });
  expect(parseOptions(["--kills", "7", "--write"])).toMatchObject({ kills: 7, write: true });
  expect(() => parseOptions(["--kills", "none"])).toThrow(
    "--kills must be a number from 1 to 1000",
  );
  expect(() => parseOptions(["--fast"])).toThrow("usage: scripts/chaos");
});
