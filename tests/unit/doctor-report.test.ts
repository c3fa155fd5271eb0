import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import type { Group } from "../../src/doctor/report.ts";
import { redactSecrets, renderJson, renderReport, runChecks } from "../../src/doctor/report.ts";
import { describeWeakness } from "../../src/doctor/settings.ts";

const groups: readonly Group[] = [
  {
    name: "Redis",
    about: "localhost:6379/0",
    findings: [
      { level: "ok", check: "a", text: "Answers", fix: undefined },
      { level: "warning", check: "b", text: `${"many words ".repeat(12)}end`, fix: "Do this" },
      { level: "fault", check: "c", text: "Wrong", fix: `${"and then that ".repeat(9)}end` },
    ],
  },
  { name: "Empty", about: undefined, findings: [] },
];
const report = { groups, durationMs: 1234 };

test("a report fits 80 columns, has no colour unless asked, and no empty group", () => {
  const text = renderReport(report, { colour: false, columns: 80 });
  expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(text).not.toContain("\u001b");
  expect(text).not.toContain("Empty");
  expect(text).toStartWith("Redis  localhost:6379/0\n  ✓ Answers\n  ! many words");
  expect(text).toContain("\n    → Do this\n");
  expect(text).toEndWith("\n\n✗ 1   ! 1   ✓ 1   in 1.2 s\n");
});

test("colour adds nothing but colour", () => {
  const coloured = renderReport(report, { colour: true, columns: 80 });
  expect(coloured).toContain("\u001b[31m✗\u001b[0m Wrong");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are what is taken out
  const plain = coloured.replace(/\u001b\[\d+m/g, "");
  expect(plain).toBe(renderReport(report, { colour: false, columns: 80 }));
});

test("machines get the same as JSON", () => {
  const parsed: unknown = JSON.parse(renderJson(report));
  const counts = { ok: 1, warning: 1, fault: 1 };
  expect(parsed).toMatchObject({
    ok: false,
    counts,
    duration_ms: 1234,
    groups: [{ name: "Redis" }, {}],
  });
});

test("a check that breaks, and one that hangs, hide nothing of the others", async () => {
  const found = await runChecks(
    [
      {
        group: "Slow",
        run: (diagnosis) => {
          diagnosis.ok("slow.begun", "It began");
          return new Promise(() => {});
        },
      },
      { group: "Broken", run: () => Promise.reject(new Error("so it goes")) },
      { group: "Fine", about: "here", run: (diagnosis) => diagnosis.ok("fine", "Fine") },
      { group: "Fine", run: (diagnosis) => diagnosis.ok("fine", "Also") },
    ],
    { deadlineMs: 50 },
  );
  const seen = found.map(({ name, about, findings }) => [
    name,
    about,
    findings.map((f) => f.check),
  ]);
  expect(seen).toEqual([
    ["Slow", undefined, ["slow.begun", "doctor.deadline"]],
    ["Broken", undefined, ["doctor.broken"]],
    ["Fine", "here", ["fine", "fine"]],
  ]);
});

test("a secret that a server repeats is not shown, in whatever form", () => {
  const secret = "p@ss/w0rd and more";
  const forms = [secret, encodeURIComponent(secret), Buffer.from(secret).toString("base64")];
  const text = `You said ${forms.join(", ")}`;
  const fault = { level: "fault", check: "a", text, fix: `not ${secret}` } as const;
  const [group] = redactSecrets([{ name: "A", about: secret, findings: [fault] }], [secret]);
  const shown = JSON.stringify(group);
  for (const form of forms) expect(shown).not.toContain(form);
  expect(shown).toContain("You said [secret], [secret], [secret]");
});

test("random secrets are strong in whatever notation, and people's are not", () => {
  // The same two thousand each time.
  for (let tries = 0; tries < 2000; tries += 1) {
    const bytes = createHash("sha256").update(`secret ${tries}`).digest();
    expect(describeWeakness(bytes.toString("base64"))).toBeUndefined();
    expect(describeWeakness(bytes.toString("hex"))).toBeUndefined();
  }
  const zeros = "9b7c4e2f81d6a3000000e51ab8c3f7d2946be0a1c85f3d7e6294ab10cf8d5e37";
  expect(describeWeakness(zeros)).toBeUndefined(); // six alike are in one of 18,000
  for (const weak of [
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "my-super-secret-key-of-32-letters!",
  ]) {
    expect(describeWeakness(weak)).toBeString();
  }
});
