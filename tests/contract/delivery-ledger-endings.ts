import { describe, expect, test } from "bun:test";
import type { LedgerFeatures, OpenLedgerStore } from "./delivery-ledger-store.ts";
import { bringTo, changes, mail, smtp } from "./delivery-ledger-store.ts";

export function endingRules(openStore: OpenLedgerStore, features: LedgerFeatures): void {
  const longMs = 60_000;
  const done = { kind: "done" } as const;
  const lastStates = ["accepted", "rejected", "ambiguous", "expired", "suppressed"] as const;

  describe("ends", () => {
    test("an accepted mail is a duplicate for whoever comes later, and shows the evidence", async () => {
      await using store = await openStore();
      const [ledger, other] = [await store.open(), await store.open()];
      const one = mail(store, features);
      await bringTo(ledger, one, "accepted", longMs);
      const record = await ledger.find(one.messageId);
      expect(record).toMatchObject({ state: "accepted", smtp, late: false });
      const sentAt = record?.sentAt ?? 0;
      expect(Math.abs(sentAt - store.now())).toBeLessThan(5000);
      for (const fields of [{}, { resubmit: true }, { replayCount: 5 }]) {
        expect(await other.claim(one.request("b", fields))).toEqual({ kind: "accepted", sentAt });
      }
    });

    test("a rejected mail has its class, its reason and the position of its dead letter", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      for (const rejectedClass of ["refused", "retries_exhausted", "smtp_unavailable"] as const) {
        const one = mail(store, features);
        await bringTo(ledger, one, "claimed", longMs);
        const rejected = {
          kind: "rejected",
          class: rejectedClass,
          reason: "550 no",
          smtp,
        } as const;
        expect(await ledger.advance(one.claim("a"), rejected)).toEqual(done);
        const said = { kind: "rejected", class: rejectedClass, reason: "550 no" } as const;
        const outcome = await ledger.claim(one.request("b", { resubmit: true }));
        expect(outcome).toEqual({ ...said, buried: undefined });
        await ledger.markBuried(one.messageId, { partition: 2, offset: 17 });
        const buried = { partition: 2, offset: 17 };
        expect(await ledger.claim(one.request("b"))).toEqual({ ...said, buried });
      }
    });

    test("the first dead letter of a mail stays, and only what was given up has one", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      await ledger.markBuried(crypto.randomUUID(), { partition: 0, offset: 1 });
      for (const state of ["claimed", "submitting", ...lastStates] as const) {
        const one = mail(store, features);
        await bringTo(ledger, one, state, longMs);
        await ledger.markBuried(one.messageId, { partition: 0, offset: 1 });
        await ledger.markBuried(one.messageId, { partition: 0, offset: 2 });
        const expected = state === "rejected" || state === "ambiguous";
        const record = await ledger.find(one.messageId);
        expect([state, record?.buried]).toEqual([
          state,
          expected ? { partition: 0, offset: 1 } : undefined,
        ]);
        expect(record?.state).toBe(state);
      }
    });

    test("an expired and a suppressed mail are not claimed again", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const fields = { resubmit: true, replayCount: 3 };
      const expired = mail(store, features);
      await bringTo(ledger, expired, "expired", longMs);
      expect(await ledger.claim(expired.request("b", fields))).toEqual({ kind: "expired" });
      const suppressed = mail(store, features);
      await bringTo(ledger, suppressed, "suppressed", longMs);
      const outcome = { kind: "suppressed", reason: "unsubscribed" } as const;
      expect(await ledger.claim(suppressed.request("b", fields))).toEqual(outcome);
    });

    test("once the content may be out, a mail cannot expire or be suppressed", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const one = mail(store, features);
      await bringTo(ledger, one, "submitting", longMs);
      const lost = { kind: "lost", state: "submitting" } as const;
      expect(await ledger.advance(one.claim("a"), changes.expired)).toEqual(lost);
      expect(await ledger.advance(one.claim("a"), changes.suppressed)).toEqual(lost);
    });

    test("a mail whose content never ended is not ambiguous", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const one = mail(store, features);
      await bringTo(ledger, one, "claimed", longMs);
      const lost = { kind: "lost", state: "claimed" } as const;
      expect(await ledger.advance(one.claim("a"), changes.ambiguous)).toEqual(lost);
    });

    test("an end repeated by its owner is done; any other change by it is lost", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      for (const state of lastStates) {
        const one = mail(store, features);
        await bringTo(ledger, one, state, longMs);
        const before = await store.read(one.messageId);
        expect(await ledger.advance(one.claim("a"), changes[state])).toEqual(done);
        for (const change of [
          { kind: "renew", state: "submitting", leaseMs: longMs },
          { kind: "submitting", leaseMs: longMs },
          { kind: "deferred", countsAttempt: true, leaseMs: longMs, reason: "451" },
          ...Object.values(changes).filter(({ kind }) => kind !== state && kind !== "accepted"),
        ] as const) {
          const outcome = await ledger.advance(one.claim("a"), change);
          expect([change.kind, outcome]).toEqual([change.kind, { kind: "lost", state }]);
        }
        expect(await store.read(one.messageId)).toBe(before);
      }
    });

    test("a mail without a record is lost to its owner", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const { claim } = mail(store, features);
      const outcome = await ledger.advance(claim("a"), { kind: "submitting", leaseMs: longMs });
      expect(outcome).toEqual({ kind: "lost", state: "none" });
    });
  });
}

export function acceptanceRules(openStore: OpenLedgerStore, features: LedgerFeatures): void {
  const { leaseMs } = features;
  const longMs = 60_000;
  const late = { kind: "late" } as const;
  const { accepted } = changes;

  describe("late acceptance", () => {
    test("it is recorded over another owner's work, which is lost by that", async () => {
      await using store = await openStore();
      const [ledger, other] = [await store.open(), await store.open()];
      for (const state of ["claimed", "submitting"] as const) {
        const one = mail(store, features);
        await bringTo(ledger, one, "claimed", leaseMs);
        await store.pass(leaseMs + 1);
        await other.claim(one.request("b", { leaseMs: longMs }));
        const second = one.claim("b", 2);
        if (state === "submitting") {
          await other.advance(second, { kind: "submitting", leaseMs: longMs });
        }
        expect(await ledger.advance(one.claim("a"), accepted)).toEqual(late);
        expect(await ledger.advance(one.claim("a"), accepted)).toEqual(late);
        expect(await ledger.find(one.messageId)).toMatchObject({
          state: "accepted",
          late: true,
          fence: 2,
          smtp,
        });
        const lost = { kind: "lost", state: "accepted" } as const;
        const next = { kind: "submitting", leaseMs: longMs } as const;
        expect(await other.advance(second, next)).toEqual(lost);
        expect(await other.advance(second, changes.rejected)).toEqual(lost);
      }
    });

    test("it is recorded over every state that gave the mail up, and keeps its dead letter", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      for (const state of ["rejected", "ambiguous", "expired", "suppressed"] as const) {
        const one = mail(store, features);
        await bringTo(ledger, one, state, longMs);
        await ledger.markBuried(one.messageId, { partition: 0, offset: 9 });
        const before = await ledger.find(one.messageId);
        expect(await ledger.advance(one.claim("a"), accepted)).toEqual(late);
        expect(await ledger.advance(one.claim("a"), accepted)).toEqual(late);
        expect(await ledger.find(one.messageId)).toMatchObject({
          state: "accepted",
          late: true,
          buried: before?.buried,
          reason: undefined,
        });
        expect(await ledger.claim(one.request("b"))).toMatchObject({ kind: "accepted" });
      }
    });

    test("it is recorded when the store lost the record", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const one = mail(store, features);
      expect(await ledger.advance(one.claim("a", 3), accepted)).toEqual(late);
      expect(await ledger.advance(one.claim("a", 3), accepted)).toEqual(late);
      const record = await ledger.find(one.messageId);
      expect(record).toMatchObject({ state: "accepted", late: true, fence: 3, smtp });
      expect(record?.history).toHaveLength(1);
      expect(await ledger.claim(one.request("b"))).toMatchObject({ kind: "accepted" });
    });

    test("a second acceptance is an entry in the history; the first one stays", async () => {
      await using store = await openStore();
      const [ledger, other] = [await store.open(), await store.open()];
      const one = mail(store, features);
      await bringTo(ledger, one, "submitting", leaseMs);
      await store.pass(leaseMs + 1);
      await other.claim(one.request("b", { resubmit: true, leaseMs: longMs }));
      const second = one.claim("b", 2);
      await other.advance(second, { kind: "submitting", leaseMs: longMs });
      expect(await other.advance(second, accepted)).toEqual({ kind: "done" });
      const again = {
        kind: "accepted",
        smtp: { ...smtp, queueId: "B2", reply: "250 B2" },
      } as const;
      expect(await ledger.advance(one.claim("a"), again)).toEqual(late);
      expect(await ledger.advance(one.claim("a"), again)).toEqual(late);
      expect(await other.advance(second, accepted)).toEqual({ kind: "done" });
      const record = await ledger.find(one.messageId);
      expect(record).toMatchObject({ state: "accepted", smtp, late: false, fence: 2 });
      const acceptances = record?.history.filter(({ state }) => state === "accepted");
      expect(acceptances).toMatchObject([
        { fence: 2 },
        { fence: 1, note: "accepted again: 250 B2" },
      ]);
    });
  });
}

export function replayRules(openStore: OpenLedgerStore, features: LedgerFeatures): void {
  const longMs = 60_000;
  const position = { partition: 0, offset: 5 };

  describe("replay", () => {
    test("a rejected mail is claimed anew, without a dead letter and attempts", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const one = mail(store, features);
      await bringTo(ledger, one, "claimed", longMs);
      const deferral = {
        kind: "deferred",
        countsAttempt: true,
        leaseMs: longMs,
        reason: "451",
      } as const;
      await ledger.advance(one.claim("a"), deferral);
      await ledger.advance(one.claim("a"), changes.rejected);
      await ledger.markBuried(one.messageId, position);
      const replay = one.request("b", { replayCount: 1, leaseMs: longMs });
      const claimed = { kind: "claimed", fence: 2, attempts: 0, replays: 1, resubmission: false };
      expect(await ledger.claim(replay)).toMatchObject(claimed);
      expect(await ledger.claim(replay)).toMatchObject(claimed);
      const record = await ledger.find(one.messageId);
      expect(record).toMatchObject({ state: "claimed", buried: undefined, reason: undefined });
      expect(record?.class).toBeUndefined();
    });

    test("the same replay reopens a mail once; the next one may again", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const one = mail(store, features);
      await bringTo(ledger, one, "rejected", longMs);
      await ledger.claim(one.request("b", { replayCount: 1 }));
      await ledger.advance(one.claim("b", 2), changes.rejected);
      const redelivered = await ledger.claim(one.request("c", { replayCount: 1 }));
      expect(redelivered).toMatchObject({ kind: "rejected" });
      const original = await ledger.claim(one.request("c"));
      expect(original).toMatchObject({ kind: "rejected" });
      const next = await ledger.claim(one.request("c", { replayCount: 2 }));
      expect(next).toMatchObject({ kind: "claimed", fence: 3, replays: 2 });
    });

    test("an ambiguous mail with a dead letter is claimed anew and counts as resubmitted", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const one = mail(store, features);
      await bringTo(ledger, one, "ambiguous", longMs);
      await ledger.markBuried(one.messageId, position);
      const replay = one.request("b", { replayCount: 1, leaseMs: longMs });
      const claimed = { kind: "claimed", fence: 2, replays: 1, resubmission: true };
      expect(await ledger.claim(replay)).toMatchObject(claimed);
      await ledger.advance(one.claim("b", 2), { kind: "submitting", leaseMs: longMs });
      await ledger.advance(one.claim("b", 2), changes.ambiguous);
      const outcome = await ledger.claim(one.request("c", { resubmit: true, replayCount: 1 }));
      expect(outcome).toEqual({ kind: "ambiguous", resubmittable: false, buried: undefined });
    });

    test("a replay of a mail that another owner has waits, and is recorded with its claim", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const one = mail(store, features);
      await bringTo(ledger, one, "claimed", features.leaseMs);
      const replay = one.request("b", { replayCount: 2, leaseMs: longMs });
      expect(await ledger.claim(replay)).toMatchObject({ kind: "leased" });
      await store.pass(features.leaseMs + 1);
      expect(await ledger.claim(replay)).toMatchObject({ kind: "claimed", fence: 2, replays: 2 });
      await ledger.advance(one.claim("b", 2), changes.rejected);
      expect(await ledger.claim(replay)).toMatchObject({ kind: "rejected" });
    });

    test("a replay takes an ambiguous mail only once it has a dead letter", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const one = mail(store, features);
      await bringTo(ledger, one, "submitting", features.leaseMs);
      await store.pass(features.leaseMs + 1);
      const replay = one.request("b", { replayCount: 1 });
      const ambiguous = { kind: "ambiguous", resubmittable: true, buried: undefined } as const;
      expect(await ledger.claim(replay)).toEqual(ambiguous);
      expect(await ledger.claim(replay)).toEqual(ambiguous);
      await ledger.markBuried(one.messageId, position);
      expect(await ledger.claim(replay)).toMatchObject({ kind: "claimed", resubmission: true });
    });
  });
}
