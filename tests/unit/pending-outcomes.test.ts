import { expect, test } from "bun:test";
import { InstantError } from "../../src/core/errors.ts";
import { createLog, silentLog } from "../../src/core/log.ts";
import type { AdvanceOutcome, Claim } from "../../src/email/ledger/delivery-ledger.ts";
import { ledgerErrors } from "../../src/email/ledger/delivery-ledger.ts";
import { PendingOutcomes } from "../../src/email/ledger/pending-outcomes.ts";
import { FakeClock } from "../support/fake-clock.ts";

const change = { kind: "ambiguous", reason: "lost" } as const;
const claimOf = (id: number): Claim => ({ messageId: `mail-${id}`, owner: "a", fence: 1 });

/** The one method that is used, on a ledger that can go away. */
function unsteadyLedger() {
  const ledger = {
    away: false,
    asked: 0,
    written: [] as string[],
    async advance(claim: Claim): Promise<AdvanceOutcome> {
      ledger.asked += 1;
      await Promise.resolve();
      if (ledger.away) throw new InstantError(ledgerErrors.ledgerUnavailable);
      ledger.written.push(claim.messageId);
      return { kind: "done" };
    },
  };
  return ledger;
}

test("an outcome goes straight to a ledger that answers", async () => {
  const ledger = unsteadyLedger();
  const outcomes = new PendingOutcomes({ ledger, log: silentLog, clock: new FakeClock() });
  expect(await outcomes.record(claimOf(1), change)).toEqual({ kind: "done" });
  expect(outcomes.count).toBe(0);
  expect(await outcomes.flush({ deadlineMs: 1000 })).toBe(true);
});

test("while the ledger is unavailable outcomes are pending, and written in order when it is back", async () => {
  const [ledger, clock] = [unsteadyLedger(), new FakeClock()];
  const outcomes = new PendingOutcomes({ ledger, log: silentLog, clock });
  ledger.away = true;
  const recorded = [1, 2, 3].map((id) => outcomes.record(claimOf(id), change));
  await clock.advance(60_000);
  expect(outcomes.count).toBe(3);
  ledger.away = false;
  await clock.advance(1000);
  expect(await Promise.all(recorded)).toEqual(Array(3).fill({ kind: "done" }));
  expect(ledger.written).toEqual(["mail-1", "mail-2", "mail-3"]);
  expect(outcomes.count).toBe(0);
});

test("an outage of ten minutes costs about one attempt a second, whatever is pending", async () => {
  const [ledger, clock] = [unsteadyLedger(), new FakeClock()];
  const outcomes = new PendingOutcomes({ ledger, log: silentLog, clock });
  ledger.away = true;
  const recorded = Array.from({ length: 500 }, (_, id) => outcomes.record(claimOf(id), change));
  await clock.advance(1);
  ledger.asked = 0;
  await clock.advance(600_000);
  expect(ledger.asked).toBeGreaterThan(500);
  expect(ledger.asked).toBeLessThan(620);
  ledger.away = false;
  await clock.advance(1000);
  await Promise.all(recorded);
  expect(new Set(ledger.written).size).toBe(500);
  expect(ledger.written).toHaveLength(500);
});

test("what is not written when the ledger fails again stays pending", async () => {
  const [ledger, clock] = [unsteadyLedger(), new FakeClock()];
  const outcomes = new PendingOutcomes({ ledger, log: silentLog, clock });
  ledger.away = true;
  const recorded = Array.from({ length: 250 }, (_, id) => outcomes.record(claimOf(id), change));
  await clock.advance(1);
  const { advance } = ledger;
  ledger.away = false;
  ledger.advance = (claim) => {
    if (ledger.written.length >= 120) ledger.away = true;
    return advance(claim);
  };
  await clock.advance(200);
  expect(outcomes.count).toBe(250 - ledger.written.length);
  expect(outcomes.count).toBeGreaterThan(0);
  ledger.advance = advance;
  ledger.away = false;
  await clock.advance(2000);
  await Promise.all(recorded);
  expect(ledger.written.toSorted()).toEqual(
    Array.from({ length: 250 }, (_, id) => `mail-${id}`).toSorted(),
  );
});

test("what cannot be written in time is given up at the end: callers get an error, the log names it", async () => {
  const [ledger, clock] = [unsteadyLedger(), new FakeClock()];
  const lines: string[] = [];
  const log = createLog({ service: "test", level: "error", write: (line) => lines.push(line) });
  const outcomes = new PendingOutcomes({ ledger, log, clock });
  ledger.away = true;
  const recorded = outcomes.record(claimOf(7), change);
  const failure = recorded.catch((error: unknown) => error);
  await clock.advance(500);
  const flushed = outcomes.flush({ deadlineMs: 3000 });
  await clock.advance(3000);
  expect(await flushed).toBe(false);
  expect(await failure).toMatchObject({ code: "ledger_unavailable" });
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { messageID: "mail-7", state: "ambiguous" },
  ]);
  expect(clock.sleeping).toBe(0);
});

test("the end waits for a ledger that comes back in time", async () => {
  const [ledger, clock] = [unsteadyLedger(), new FakeClock()];
  const outcomes = new PendingOutcomes({ ledger, log: silentLog, clock });
  ledger.away = true;
  const recorded = outcomes.record(claimOf(1), change);
  await clock.advance(5000);
  const flushed = outcomes.flush({ deadlineMs: 10_000 });
  ledger.away = false;
  await clock.advance(2000);
  expect(await flushed).toBe(true);
  expect(await recorded).toEqual({ kind: "done" });
});

test("beyond 10,000 nothing more is pending: the caller gets an error at once", async () => {
  const [ledger, clock] = [unsteadyLedger(), new FakeClock()];
  const outcomes = new PendingOutcomes({ ledger, log: silentLog, clock });
  ledger.away = true;
  const recorded = Array.from({ length: 10_000 }, (_, id) => outcomes.record(claimOf(id), change));
  await clock.advance(1);
  expect(outcomes.count).toBe(10_000);
  await expect(outcomes.record(claimOf(-1), change)).rejects.toMatchObject({
    code: "ledger_unavailable",
  });
  ledger.away = false;
  await clock.advance(2000);
  await Promise.all(recorded);
});

test("a programmer's error is thrown at once", async () => {
  const ledger = { advance: () => Promise.reject(new TypeError("no such change")) };
  const outcomes = new PendingOutcomes({ ledger, log: silentLog, clock: new FakeClock() });
  await expect(outcomes.record(claimOf(1), change)).rejects.toThrow("no such change");
  expect(outcomes.count).toBe(0);
});

test("a listener gets the reason once, whenever the first outcome has to wait", async () => {
  const [ledger, clock] = [unsteadyLedger(), new FakeClock()];
  const outcomes = new PendingOutcomes({ ledger, log: silentLog, clock });
  const reasons: string[] = [];
  outcomes.onPending((reason) => reasons.push(reason));
  for (const holding of [1, 2]) {
    ledger.away = true;
    const recorded = [1, 2].map((id) => outcomes.record(claimOf(id), change));
    await clock.advance(1000);
    expect(reasons).toHaveLength(holding);
    ledger.away = false;
    await clock.advance(2000);
    await Promise.all(recorded);
  }
});
