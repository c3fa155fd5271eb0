import { describe, expect, test } from "bun:test";
import type { OpenLedgerStore } from "./delivery-ledger.ts";
import type { LedgerFeatures } from "./delivery-ledger-store.ts";
import { bringTo, changes, mail, smtp } from "./delivery-ledger-store.ts";

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

    test("a second acceptance is a line of the history; the first one stays", async () => {
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
