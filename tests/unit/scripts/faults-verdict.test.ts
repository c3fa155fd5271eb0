import { expect, test } from "bun:test";
import { parseOptions } from "../../../scripts/faults/options.ts";
import { replaceMeasured } from "../../../scripts/faults/page.ts";
import { renderTable } from "../../../scripts/faults/table.ts";
import { tallyFates } from "../../../scripts/faults/tally.ts";
import type { MailFate } from "../../../scripts/faults/verdict.ts";
import { findBreach } from "../../../scripts/faults/verdict.ts";
import { codeEvent, welcomeEvent } from "../../../support/events.ts";

const usual = {
  accepted: 1,
  letter: undefined,
  expired: false,
  inWindow: 0,
  refused: false,
  beforeDot: false,
};
const byDot = { inWindow: 1, beforeDot: true } as const;
const code = (fate: Partial<MailFate> = {}): MailFate => ({
  ...usual,
  event: codeEvent(),
  ...fate,
});
const welcome = (fate: Partial<MailFate> = {}): MailFate => {
  return { ...usual, event: welcomeEvent(), ...fate };
};

test.each([
  ["a mail sent once", code()],
  ["a code that expired", code({ accepted: 0, expired: true })],
  ["a code sent again by the window", code({ accepted: 2, inWindow: 1 })],
  ["a code parked after two windows", code({ accepted: 2, inWindow: 2, letter: "ambiguous" })],
  ["a mail parked by the window", welcome({ accepted: 0, inWindow: 1, letter: "ambiguous" })],
  ["a mail sent and parked by it", welcome({ accepted: 1, inWindow: 1, letter: "ambiguous" })],
  ["a code sent after a fault before the dot", code(byDot)],
  ["a mail parked before the dot", welcome({ ...byDot, accepted: 0, letter: "ambiguous" })],
  ["a refused mail with its letter", code({ accepted: 0, refused: true, letter: "rejected" })],
] as const)("keeps the promise: %s", (_, fate) => {
  expect(findBreach(fate)).toBeUndefined();
});

test.each([
  ["a mail nobody has", code({ accepted: 0 })],
  ["a mail nobody has, by the window", code({ accepted: 0, inWindow: 1 })],
  ["a code sent twice outside the window", code({ accepted: 2 })],
  ["a code sent twice, though no dot was written", code({ ...byDot, accepted: 2 })],
  ["a mail sent and parked, though no dot was", welcome({ ...byDot, letter: "ambiguous" })],
  ["a code sent three times", code({ accepted: 3, inWindow: 2 })],
  ["another mail sent twice", welcome({ accepted: 2, inWindow: 1 })],
  ["a living code parked", code({ accepted: 1, inWindow: 1, letter: "ambiguous" })],
  ["a mail parked outside the window", welcome({ accepted: 0, letter: "ambiguous" })],
  ["a mail given up", welcome({ accepted: 0, letter: "retries_exhausted" })],
  ["a mail sent and given up", welcome({ letter: "rejected", refused: true })],
] as const)("breaks the promise: %s", (_, fate) => {
  expect(findBreach(fate)).toBeString();
});

test("counts fates and shows them as a table", () => {
  const fates = [
    code(),
    code({ accepted: 2, inWindow: 1 }),
    welcome({ accepted: 0, inWindow: 1, letter: "ambiguous" }),
    welcome({ accepted: 0 }),
  ];
  const tally = tallyFates(fates);
  expect(tally).toEqual({
    ...{ mails: 4, inWindow: 2, lost: 1, once: 1, twice: 1 },
    parked: { ambiguous: 1 },
  });
  const rows = [{ name: "after 250", tally: { ...tally, breaches: [] }, note: "quickly" }];
  expect(renderTable("killed at", rows)).toEndWith(
    "| after 250: quickly ✗ | 4 | 2 | 1 | 1 | 1 | 1 ambiguous |",
  );
});

test("writes the measured tables between their marks only", () => {
  const page = "a\n<!-- scripts/chaos writes from here -->\n\nold\n\n<!-- to here -->\nb\n";
  expect(replaceMeasured(page, "new")).toBe(page.replace("old", "new"));
  expect(() => replaceMeasured("no marks", "new")).toThrow("needs the lines");
});

test("reads the options, and says what is wrong with them", () => {
  expect(parseOptions([])).toMatchObject({ kills: 30, freezes: 6, quick: false });
  expect(parseOptions(["--quick", "--json"])).toMatchObject({ kills: 3, freezes: 1, json: true });
  expect(parseOptions(["--kills", "7", "--write"])).toMatchObject({ kills: 7, write: true });
  expect(() => parseOptions(["--kills", "none"])).toThrow("--kills is a number from 1 to 1000");
  expect(() => parseOptions(["--fast"])).toThrow("usage: scripts/chaos");
});
