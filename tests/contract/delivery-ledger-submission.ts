import { describe, expect, test } from "bun:test";
import type { OpenLedgerStore } from "./delivery-ledger.ts";
import type { LedgerFeatures } from "./delivery-ledger-store.ts";
import { bringTo, mail } from "./delivery-ledger-store.ts";

export function submissionRules(openStore: OpenLedgerStore, features: LedgerFeatures): void {
  const { leaseMs } = features;
  const longMs = 60_000;
  const done = { kind: "done" } as const;

  describe("submission", () => {
    test("a second delivery waits while the lease of submitting lives, its own owner too", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const one = mail(store, features);
      await bringTo(ledger, one, "submitting", longMs);
      for (const owner of ["a", "b"]) {
        const outcome = await ledger.claim(one.request(owner, { resubmit: true }));
        expect(outcome).toMatchObject({ kind: "leased", state: "submitting" });
      }
    });

    test("after the lease of submitting nobody knows: ambiguous", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const one = mail(store, features);
      await bringTo(ledger, one, "submitting", leaseMs);
      await store.pass(leaseMs + 1);
      const ambiguous = { kind: "ambiguous", resubmittable: true, buried: undefined } as const;
      expect(await ledger.claim(one.request("b"))).toEqual(ambiguous);
      expect(await ledger.claim(one.request("c"))).toEqual(ambiguous);
      expect(await ledger.find(one.messageId)).toMatchObject({ state: "ambiguous", fence: 1 });
    });

    test("submitting may be said again, and renews the lease", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const one = mail(store, features);
      await bringTo(ledger, one, "submitting", leaseMs);
      const again = { kind: "submitting", leaseMs: longMs } as const;
      expect(await ledger.advance(one.claim("a"), again)).toEqual(done);
      await store.pass(leaseMs + 1);
      expect(await ledger.claim(one.request("b"))).toMatchObject({ kind: "leased" });
    });

    test("a renewed lease holds others back, in claimed and in submitting", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      for (const state of ["claimed", "submitting"] as const) {
        const one = mail(store, features);
        await bringTo(ledger, one, state, leaseMs);
        const renewed = await ledger.advance(one.claim("a"), {
          kind: "renew",
          state,
          leaseMs: longMs,
        });
        expect(renewed).toEqual(done);
        await store.pass(leaseMs + 1);
        expect(await ledger.claim(one.request("b"))).toMatchObject({ kind: "leased", state });
      }
    });

    test("a renewal that comes late neither shortens the lease nor takes back what was let go", async () => {
      await using store = await openStore();
      const [ledger, other] = [await store.open(), await store.open()];
      const one = mail(store, features);
      await bringTo(ledger, one, "submitting", longMs);
      const renew = (state: "claimed" | "submitting") =>
        ledger.advance(one.claim("a"), { kind: "renew", state, leaseMs });
      expect(await renew("claimed")).toEqual({ kind: "lost", state: "submitting" });
      await store.pass(leaseMs + 1);
      expect(await other.claim(one.request("b"))).toMatchObject({ kind: "leased" });
      const deferral = {
        kind: "deferred",
        countsAttempt: false,
        leaseMs: 0,
        reason: "421",
      } as const;
      await ledger.advance(one.claim("a"), deferral);
      for (const state of ["claimed", "submitting"] as const) {
        expect(await renew(state)).toEqual({ kind: "lost", state: "claimed" });
      }
      expect(await other.claim(one.request("b"))).toMatchObject({ kind: "claimed", fence: 2 });
    });

    test("an ambiguous mail is claimed once more for resubmission, and never a second time", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const one = mail(store, features);
      await bringTo(ledger, one, "ambiguous", longMs);
      const resubmit = one.request("b", { resubmit: true, leaseMs: longMs });
      const again = { kind: "claimed", fence: 2, attempts: 0, replays: 0, resubmission: true };
      expect(await ledger.claim(resubmit)).toMatchObject(again);
      expect(await ledger.claim(resubmit)).toMatchObject(again);
      const second = one.claim("b", 2);
      await ledger.advance(second, { kind: "submitting", leaseMs: longMs });
      await ledger.advance(second, { kind: "ambiguous", reason: "lost again" });
      const outcome = await ledger.claim(one.request("c", { resubmit: true }));
      expect(outcome).toEqual({ kind: "ambiguous", resubmittable: false, buried: undefined });
    });

    test("an ambiguous mail with a dead letter is not resubmitted: a person has it", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const one = mail(store, features);
      await bringTo(ledger, one, "ambiguous", longMs);
      const buried = { partition: 1, offset: 4 };
      await ledger.markBuried(one.messageId, buried);
      const outcome = await ledger.claim(one.request("b", { resubmit: true }));
      expect(outcome).toEqual({ kind: "ambiguous", resubmittable: false, buried });
    });

    test("a claim that may resubmit takes a mail whose lease ended in submitting", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const one = mail(store, features);
      await bringTo(ledger, one, "submitting", leaseMs);
      await store.pass(leaseMs + 1);
      const outcome = await ledger.claim(one.request("b", { resubmit: true, leaseMs: longMs }));
      expect(outcome).toMatchObject({ kind: "claimed", fence: 2, resubmission: true });
      const states = (await ledger.find(one.messageId))?.history.map(({ state }) => state);
      expect(states).toEqual(["claimed", "submitting", "ambiguous", "claimed"]);
    });

    test("a definite refusal leaves submitting at once; the try counts when it was countsAttempt", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      for (const countsAttempt of [true, false]) {
        const one = mail(store, features);
        await bringTo(ledger, one, "submitting", longMs);
        const deferral = {
          kind: "deferred",
          countsAttempt,
          leaseMs: longMs,
          reason: "451 later",
        } as const;
        expect(await ledger.advance(one.claim("a"), deferral)).toEqual(done);
        expect(await ledger.find(one.messageId)).toMatchObject({
          state: "claimed",
          owner: "a",
          fence: 1,
          attempts: countsAttempt ? 1 : 0,
        });
      }
    });

    test("a deferral that is repeated counts once, and the next try's counts again", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const one = mail(store, features);
      const deferral = {
        kind: "deferred",
        countsAttempt: true,
        leaseMs: longMs,
        reason: "451",
      } as const;
      for (const attempts of [1, 2, 3]) {
        const claimed = await ledger.claim(one.request("a"));
        expect(claimed).toMatchObject({ kind: "claimed", fence: 1, attempts: attempts - 1 });
        expect(await ledger.advance(one.claim("a"), deferral)).toEqual(done);
        expect(await ledger.advance(one.claim("a"), deferral)).toEqual(done);
        expect(await ledger.find(one.messageId)).toMatchObject({ attempts });
      }
    });

    test("a deferral without a lease lets anyone claim at once, and the tries stay countsAttempt", async () => {
      await using store = await openStore();
      const [ledger, other] = [await store.open(), await store.open()];
      const one = mail(store, features);
      await bringTo(ledger, one, "claimed", longMs);
      const deferral = {
        kind: "deferred",
        countsAttempt: true,
        leaseMs: 0,
        reason: "451",
      } as const;
      await ledger.advance(one.claim("a"), deferral);
      const outcome = await other.claim(one.request("b"));
      expect(outcome).toMatchObject({ kind: "claimed", fence: 2, attempts: 1 });
      expect(await ledger.advance(one.claim("a"), deferral)).toMatchObject({ kind: "lost" });
    });
  });
}
