import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { describeWeakness, findWeakSecrets } from "../../src/core/secret.ts";
import type { Group } from "../../src/doctor/report.ts";
import { redactSecrets, renderJson, renderReport, runChecks } from "../../src/doctor/report.ts";

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
];
const report = { groups, durationMs: 1234 };

test("a report fits 80 columns and has no colour unless asked", () => {
  const text = renderReport(report, { colour: false, columns: 80 });
  expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(text).not.toContain("\u001b");
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

test("programs get the same as JSON", () => {
  const parsed: unknown = JSON.parse(renderJson(report));
  const counts = { ok: 1, warning: 1, fault: 1 };
  expect(parsed).toMatchObject({
    ok: false,
    counts,
    duration_ms: 1234,
    groups: [{ name: "Redis" }],
  });
});

test("a check that throws, hangs or finds nothing hides nothing of the others", async () => {
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
      { group: "Empty", run: () => {} },
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

test("a secret that a server repeats is not printed, in whatever form", () => {
  const secret = "p@ss/w0rd and more";
  const forms = [secret, encodeURIComponent(secret), Buffer.from(secret).toString("base64")];
  const text = `You said ${forms.join(", ")}`;
  const fault = { level: "fault", check: "a", text, fix: `not ${secret}` } as const;
  const [group] = redactSecrets([{ name: "A", about: secret, findings: [fault] }], [secret]);
  const shown = JSON.stringify(group);
  for (const form of forms) expect(shown).not.toContain(form);
  expect(shown).toContain("You said [secret], [secret], [secret]");
});

test("random secrets are strong in any encoding, and people's are not", () => {
  // The same two thousand each time.
  for (let count = 0; count < 2000; count += 1) {
    const bytes = createHash("sha256").update(`secret ${count}`).digest();
    expect(describeWeakness(bytes.toString("base64"))).toBeUndefined();
    expect(describeWeakness(bytes.toString("hex"))).toBeUndefined();
    expect(describeWeakness(bytes.subarray(0, 16).toString("hex"))).toBeUndefined();
    // A token of the least length.
    expect(describeWeakness(bytes.subarray(0, 8).toString("hex"))).toBeUndefined();
    expect(describeWeakness(bytes.subarray(0, 12).toString("base64"))).toBeUndefined();
  }
  const zeros = "9b7c4e2f81d6a3000000e51ab8c3f7d2946be0a1c85f3d7e6294ab10cf8d5e37";
  expect(describeWeakness(zeros)).toBeUndefined(); // one in 18,000 has six alike
  for (const weak of [
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "my-super-secret-key-of-32-letters!",
    "changeitchangeitchangeitchangeit",
    "CHANGE_ME",
    "please-generate-one-with-openssl!",
    "aaaaaaaaaaaaaaaa",
    "0123456789abcdef0123456789abcdef",
    "abcdefghijklmnopqrstuvwxyz012345",
    "0123456789abcdef",
    "9b7c4e2f81d6a3e59b7c4e2f81d6a3e59b7c4e2f81d6a3e59b7c4e2f81d6a3e5",
    "abab12abab12abab",
  ]) {
    expect(describeWeakness(weak)).toBeString();
  }
});

test("of secrets that are set, the weak ones are named, and one that is set twice", () => {
  const strong = createHash("sha256").update("strong").digest("base64");
  const found = findWeakSecrets({
    AUTH_SECRET: strong,
    AUTH_SECRET_PREVIOUS: undefined,
    EMAIL_SECRET: strong,
    OPS_TOKEN: "changeme-changeme",
  });
  expect(found.map(({ name, kind, problem }) => [name, kind, problem])).toEqual([
    ["EMAIL_SECRET", "shared", "is the same as AUTH_SECRET"],
    ["OPS_TOKEN", "strength", "looks like a placeholder, not like a random secret"],
  ]);
  expect(JSON.stringify(found)).not.toContain(strong);
});
