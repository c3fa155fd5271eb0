import { describe, expect, test } from "bun:test";
import type { DeliveryOutcome } from "../../src/email/delivery/outcome.ts";
import { AcceptanceTimes, OutcomeHistory } from "../../src/email/ops/outcome-history.ts";
import { codeEvent } from "../../support/events.ts";
import { FakeClock } from "../support/fake-clock.ts";

const refused: DeliveryOutcome = {
  kind: "dead_letter",
  deadLetter: {
    class: "rejected",
    reason: "recipient refused: 550 <ana@example.com> no",
    messageId: "m1",
    attempts: 1,
    inLedger: true,
  },
};

describe("the history of outcomes", () => {
  test("counts the last 60 minutes by what became of the mails", async () => {
    const clock = new FakeClock();
    const history = new OutcomeHistory(clock);
    history.observe({ kind: "accepted" });
    await clock.advance(30 * 60_000);
    history.observe({ kind: "duplicate" });
    history.observe({ kind: "retry", waitMs: 1, cause: "deferred", reason: "451 later" });
    history.observe({ kind: "leased", waitMs: 1 });
    history.observe(refused); // counted once its dead letter is written
    history.observeDeadLetter();
    const minutes = history.minutes();
    expect(minutes).toHaveLength(60);
    expect(minutes[29]).toMatchObject({ accepted: 1, skipped: 0, retried: 0, dead_letter: 0 });
    expect(minutes[59]).toMatchObject({ accepted: 0, skipped: 1, retried: 1, dead_letter: 1 });
    await clock.advance(30 * 60_000);
    expect(history.minutes().reduce((sum, { accepted }) => sum + accepted, 0)).toBe(0);
  });

  test("keeps the newest 20 failures, the same in a row once, and no full address", () => {
    const clock = new FakeClock();
    const history = new OutcomeHistory(clock);
    const event = codeEvent({ recipient: "ana@example.com" });
    history.observe(refused, event);
    history.observe(refused, event);
    expect(history.failures()).toMatchObject([{ class: "rejected", times: 2 }]);
    expect(JSON.stringify(history.failures())).not.toContain("ana@");
    for (let index = 0; index < 30; index += 1) {
      const down = {
        kind: "server_down",
        cause: "system",
        host: "h",
        reason: `down ${index}`,
      } as const;
      history.observe({ kind: "server_down", down, untilMs: 0 }, event);
    }
    expect(history.failures()).toHaveLength(20);
    expect(history.failures()[0]).toMatchObject({ class: "server_down", reason: "down 29" });
  });
});

describe("the times from asked to accepted", () => {
  test("are told to 9 % as half and 99 %, of the last five minutes", async () => {
    const clock = new FakeClock();
    const times = new AcceptanceTimes(clock);
    expect(times.summary()).toEqual({ count: 0, p50: undefined, p99: undefined });
    for (let ms = 1; ms <= 1000; ms += 1) times.add(ms);
    const { count, p50 = 0, p99 = 0 } = times.summary();
    expect(count).toBe(1000);
    expect(p50 / 500).toBeGreaterThanOrEqual(1);
    expect(p50 / 500).toBeLessThan(1.1);
    expect(p99 / 990).toBeGreaterThanOrEqual(1);
    expect(p99 / 990).toBeLessThan(1.1);
    await clock.advance(5 * 60_000);
    expect(times.summary().count).toBe(0);
  });

  test("may be of a clock that ran ahead, or of days ago", () => {
    const times = new AcceptanceTimes(new FakeClock());
    times.add(-5);
    times.add(30 * 86_400_000);
    expect(times.summary()).toMatchObject({ count: 2, p50: 1 });
  });
});
