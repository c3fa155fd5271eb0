import { expect, test } from "bun:test";
import { hmac } from "../../src/core/secret.ts";
import { recipientKey } from "../../src/email/event.ts";
import {
  createUnsubscribeToken,
  readUnsubscribeToken,
  tokenLifeMs,
} from "../../src/email/preferences/preference-store.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const secret = "a secret for tokens, which is long enough";
const secrets = { current: secret, previous: undefined };
const issuedAt = Date.UTC(2026, 0, 1);
const grant = { key: recipientKey("ana@example.com"), type: "welcome", issuedAt } as const;
const token = createUnsubscribeToken(secret, grant);

test("a token says whose mails of which type, and shows no address", () => {
  expect(readUnsubscribeToken(secrets, token, issuedAt)).toEqual({ kind: "valid", grant });
  expect(token).toMatch(/^[\w.-]{90,120}$/);
  expect(token).not.toContain("ana");
});

test("a token is good for a year", () => {
  const end = issuedAt + tokenLifeMs;
  expect(readUnsubscribeToken(secrets, token, end - 1).kind).toBe("valid");
  expect(readUnsubscribeToken(secrets, token, end).kind).toBe("old");
});

test("a token outlives one change of the secret", () => {
  const [current, previous] = ["another secret, which is long enough", secret];
  expect(readUnsubscribeToken({ current, previous }, token, issuedAt).kind).toBe("valid");
  expect(readUnsubscribeToken({ current, previous: undefined }, token, issuedAt).kind).toBe(
    "forged",
  );
});

test("a token in which any character was changed is forged", () => {
  const random = new SeededRandom(1);
  for (const [index, sign] of [...token].entries()) {
    if (index === token.length - 1) continue; // its last bits are padding
    const other = random.pick([..."0aZ_-.z9"].filter((one) => one !== sign)) ?? "0";
    const changed = token.slice(0, index) + other + token.slice(index + 1);
    expect(readUnsubscribeToken(secrets, changed, issuedAt).kind).toBe("forged");
  }
});

test.each(["", ".", "x".repeat(5_000), "a.b.c.d", `${token}x`, token.toUpperCase(), `${token}\n`])(
  "what is no token at all is forged",
  (text) => {
    expect(readUnsubscribeToken(secrets, text, issuedAt).kind).toBe("forged");
  },
);

/** Made without our own code: links in mails that were sent long ago have this format. */
function tokenOf(type: string): string {
  const parts = [grant.key, type, Math.floor(issuedAt / 1000).toString(36)];
  return [...parts, hmac(secret, "unsubscribe", ...parts).toString("base64url")].join(".");
}

test("the format never changes, or links in mails that were sent would be lost", () => {
  expect(token).toBe(tokenOf("welcome"));
});

test("a signed token of a type that cannot be declined (any more) changes nothing", () => {
  for (const type of ["verification_code", "sign_in_notice"]) {
    expect(readUnsubscribeToken(secrets, tokenOf(type), issuedAt).kind).toBe("mandatory");
  }
});
