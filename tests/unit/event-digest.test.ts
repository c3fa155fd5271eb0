import { expect, test } from "bun:test";
import { digestsConflict, eventDigest } from "../../src/email/ledger/claim-rules.ts";

const event = {
  eventType: "verification_code",
  recipient: "ana@example.com",
  data: { code: "123456", expires_in: "10m" },
} as const;
const digest = eventDigest("secret", event);

test("the same mail has the same digest, whatever the order of its fields", () => {
  const data = { expires_in: "10m", code: "123456" };
  expect(eventDigest("secret", { ...event, data })).toBe(digest);
  expect(digest).toMatch(/^[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{43}$/);
});

test("another type, recipient, data or key is another digest", () => {
  const others = [
    eventDigest("secret", { ...event, eventType: "welcome" }),
    eventDigest("secret", { ...event, recipient: "bob@example.com" }),
    eventDigest("secret", { ...event, data: { ...event.data, code: "123457" } }),
    eventDigest("secret", { ...event, data: { ...event.data, purpose: "sign_in" } }),
    eventDigest("other", event),
  ];
  expect(new Set([digest, ...others]).size).toBe(6);
});

test("digests of one key conflict when they differ, those of two keys never do", () => {
  const other = { ...event, recipient: "bob@example.com" };
  expect(digestsConflict(digest, eventDigest("secret", event))).toBe(false);
  expect(digestsConflict(digest, eventDigest("secret", other))).toBe(true);
  expect(digestsConflict(digest, eventDigest("rotated", other))).toBe(false);
});
