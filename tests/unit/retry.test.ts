import { describe, expect, test } from "bun:test";
import { decideRetry, retryUntil } from "../../src/email/delivery/settlement.ts";

const start = Date.UTC(2026, 0, 1);
const hourMs = 3_600_000;

/** The waits between attempts until it is given up, with a clock that moves by them. */
function schedule({ untilMs = start + 4 * hourMs, random = 0.5, from = start } = {}) {
  const waits: number[] = [];
  for (let now = from, attempts = 1; ; attempts += 1) {
    const decision = decideRetry({ attempts, untilMs, retryAfterMs: undefined, now, random });
    if (decision.kind === "give_up") return { waits, endedAt: now };
    waits.push(decision.waitMs);
    now += decision.waitMs;
  }
}

describe("a deferred mail", () => {
  test("is retried after 1, 2, 4 … s up to 5 min, for 4 h, and a last time at their end", () => {
    const { waits, endedAt } = schedule();
    expect(waits.slice(0, 11).map((ms) => ms / 1000)).toEqual([
      1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300,
    ]);
    expect(endedAt).toBe(start + 4 * hourMs);
    expect(waits.length).toBeWithin(50, 65);
  });

  test("waits up to 20 % more or less", () => {
    expect(schedule({ random: 0 }).waits.slice(0, 3)).toEqual([800, 1600, 3200]);
    expect(schedule({ random: 1 }).waits.slice(0, 3)).toEqual([1200, 2400, 4800]);
  });

  test("has three retries when its time was over before the first attempt", () => {
    expect(schedule({ from: start + 20 * hourMs }).waits).toEqual([1000, 2000, 4000]);
    expect(schedule({ untilMs: start }).waits).toEqual([1000, 2000, 4000]);
  });

  test("is retried until it expires, or for EMAIL_RETRY_FOR, whichever comes first", () => {
    const code = { expiresAt: start + 600_000 };
    expect(retryUntil(code, start, 4 * hourMs)).toBe(start + 600_000);
    expect(retryUntil(code, start, 60_000)).toBe(start + 60_000);
    expect(retryUntil({ expiresAt: undefined }, start, 4 * hourMs)).toBe(start + 4 * hourMs);
    expect(schedule({ untilMs: start + 600_000 }).endedAt).toBe(start + 600_000);
  });

  test("honours the delay that the server asked for, up to 60 s", () => {
    const input = { untilMs: start + hourMs, now: start, random: 0.5 };
    const waitOf = (attempts: number, retryAfterMs: number) =>
      decideRetry({ ...input, attempts, retryAfterMs });
    expect(waitOf(1, 30_000)).toEqual({ kind: "retry", waitMs: 30_000 });
    expect(waitOf(1, 300_000)).toEqual({ kind: "retry", waitMs: 60_000 });
    expect(waitOf(9, 30_000)).toEqual({ kind: "retry", waitMs: 256_000 });
  });
});
