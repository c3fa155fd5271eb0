import { describe, expect, test } from "bun:test";
import type { OpenLedgerStore } from "./delivery-ledger.ts";
import type { LedgerFeatures } from "./delivery-ledger-store.ts";
import { bringTo, changes, mail } from "./delivery-ledger-store.ts";

export function replayRules(openStore: OpenLedgerStore, features: LedgerFeatures): void {
  const longMs = 60_000;
  const position = { partition: 0, offset: 5 };

  describe("replay", () => {
    test("a rejected mail is claimed anew: no dead letter, no tries countsAttempt", async () => {
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

    test("a parked ambiguous mail is claimed anew and counts as sent again", async () => {
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

    test("a replay of a mail that another owner holds waits, and is remembered when it has it", async () => {
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
