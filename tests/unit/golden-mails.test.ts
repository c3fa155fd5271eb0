import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { goldenDirectory, renderGoldenMails } from "../../scripts/documents/write.ts";

const mails = renderGoldenMails();

test("there is a golden file for every mail, and no other (else run scripts/document)", () => {
  expect(readdirSync(goldenDirectory).toSorted()).toEqual([...mails.keys()].toSorted());
});

test.each([...mails])("%s reads as its golden file (else run scripts/document)", (name, mail) => {
  expect(readFileSync(join(goldenDirectory, name), "utf8")).toBe(mail);
});
