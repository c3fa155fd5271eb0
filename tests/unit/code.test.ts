import { expect, test } from "bun:test";
import { createAuthKeys } from "../../src/auth/auth-deps.ts";
import { deriveCode, deriveVerifier } from "../../src/auth/codes/code-store.ts";

const scope = { purpose: "sign_in", email: "a@x.org" } as const;
const secret = "s".repeat(32);

test("the code of a message is always the same six digits", () => {
  const code = deriveCode(secret, scope, "m1");
  expect(code).toMatch(/^\d{6}$/);
  expect(deriveCode(secret, scope, "m1")).toBe(code);
  expect(code).toBe("545131"); // pinned: a changed derivation would spoil the codes on their way
});

test("another secret, purpose, address or message gives another code and verifier", () => {
  const codes = [
    deriveCode(secret, scope, "m1"),
    deriveCode(`${secret}x`, scope, "m1"),
    deriveCode(secret, { ...scope, purpose: "change_email" }, "m1"),
    deriveCode(secret, { ...scope, email: "b@x.org" }, "m1"),
    deriveCode(secret, scope, "m2"),
  ];
  expect(new Set(codes).size).toBe(codes.length);
  const verifiers = [
    deriveVerifier(secret, scope, "111111"),
    deriveVerifier(`${secret}x`, scope, "111111"),
    deriveVerifier(secret, { ...scope, purpose: "change_email" }, "111111"),
    deriveVerifier(secret, { ...scope, email: "b@x.org" }, "111111"),
    deriveVerifier(secret, scope, "111112"),
  ];
  expect(new Set(verifiers).size).toBe(verifiers.length);
});

test("all leading digits are equally likely", () => {
  const counts = new Map<string, number>();
  const total = 20_000;
  for (let n = 0; n < total; n += 1) {
    const digit = deriveCode(secret, scope, `m${n}`).slice(0, 1);
    counts.set(digit, (counts.get(digit) ?? 0) + 1);
  }
  expect(counts.size).toBe(10);
  const expected = total / 10;
  const chiSquare = [...counts.values()].reduce(
    (sum, n) => sum + (n - expected) ** 2 / expected,
    0,
  );
  expect(chiSquare).toBeLessThan(27.9); // 9 degrees of freedom, p = 0.001; the input is fixed
});

test("keys are named by their secret, and the previous one is still known", () => {
  const before = createAuthKeys(secret, undefined);
  const after = createAuthKeys("t".repeat(32), secret);
  expect(after.all.map(({ id }) => id)).toContain(before.current.id);
  expect(after.current.id).not.toBe(before.current.id);
  expect(createAuthKeys(secret, secret).all).toHaveLength(1);
});
