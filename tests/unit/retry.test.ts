import { describe, expect, test } from "bun:test";
import type { EmailEvent } from "../../src/email/event.ts";
import { decideRetry } from "../../src/email/retry.ts";

const now = Date.UTC(2026, 0, 1);
const fields = { messageId: "m", timestamp: now, recipient: "a@b.co" };
const code: EmailEvent = {
  ...fields,
  eventType: "verification_code",
  data: { code: "123456", expires_in: "10m" },
  expiresAt: now + 600_000,
};
const welcome: EmailEvent = {
  ...fields,
  eventType: "welcome",
  data: { username: "ana" },
  expiresAt: undefined,
};

function waits(event: EmailEvent, tries: number, random = 0.5) {
  return Array.from({ length: tries }, (_, index) => {
    const attempts = index + 1;
    const decision = decideRetry({ event, attempts, retryAfterMs: undefined, now, random });
    return decision.kind === "retry" ? decision.waitMs : "give up";
  });
}

describe("a deferred mail", () => {
  test("is tried again after 1, 2 and 4 s, then given up", () => {
    expect(waits(welcome, 4)).toEqual([1000, 2000, 4000, "give up"]);
  });

  test("waits up to 20 % more or less", () => {
    expect(waits(welcome, 3, 0)).toEqual([800, 1600, 3200]);
    expect(waits(welcome, 3, 1)).toEqual([1200, 2400, 4800]);
  });

  test("with a living code is tried on, at most a minute apart", () => {
    expect(waits(code, 8)).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  });

  test("with a dead code is given up after the three tries", () => {
    const input = { event: code, attempts: 4, retryAfterMs: undefined, random: 0.5 };
    expect(decideRetry({ ...input, now: now + 600_000 })).toEqual({ kind: "give_up" });
  });

  test("honours the delay that the server asked for, up to 60 s", () => {
    const input = { event: welcome, attempts: 1, now, random: 0.5 };
    expect(decideRetry({ ...input, retryAfterMs: 30_000 })).toEqual({
      kind: "retry",
      waitMs: 30_000,
    });
    expect(decideRetry({ ...input, retryAfterMs: 300_000 })).toEqual({
      kind: "retry",
      waitMs: 60_000,
    });
  });
});
