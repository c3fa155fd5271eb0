import { describe, expect, test } from "bun:test";
import type { OpenLedgerStore } from "./delivery-ledger.ts";
import type { LedgerFeatures } from "./delivery-ledger-store.ts";
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
      for (const ask of [{}, { resubmit: true }, { replayCount: 5 }]) {
        expect(await other.claim(one.request("b", ask))).toEqual({ kind: "accepted", sentAt });
      }
    });

    test("a rejected mail says its class and reason, and where its dead letter is", async () => {
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
      const ask = { resubmit: true, replayCount: 3 };
      const expired = mail(store, features);
      await bringTo(ledger, expired, "expired", longMs);
      expect(await ledger.claim(expired.request("b", ask))).toEqual({ kind: "expired" });
      const suppressed = mail(store, features);
      await bringTo(ledger, suppressed, "suppressed", longMs);
      const outcome = { kind: "suppressed", reason: "unsubscribed" } as const;
      expect(await ledger.claim(suppressed.request("b", ask))).toEqual(outcome);
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

    test("a mail without a record is lost to who works on it", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const { claim } = mail(store, features);
      const outcome = await ledger.advance(claim("a"), { kind: "submitting", leaseMs: longMs });
      expect(outcome).toEqual({ kind: "lost", state: "none" });
    });
  });
}
