import { describe, expect, test } from "bun:test";
import { ledgerForgetsAfterMs, ledgerStates } from "../../src/email/ledger/delivery-ledger.ts";
import type { LedgerFeatures, OpenLedgerStore } from "./delivery-ledger-store.ts";
import { bringTo, mail } from "./delivery-ledger-store.ts";

export function claimRules(openStore: OpenLedgerStore, features: LedgerFeatures): void {
  const { leaseMs } = features;
  const longMs = 60_000;
  const fresh = {
    kind: "claimed",
    fence: 1,
    attempts: 0,
    replays: 0,
    resubmission: false,
  } as const;

  describe("claim", () => {
    test("a new mail is claimed with fence 1 and no attempts", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const { request } = mail(store, features);
      expect(await ledger.claim(request("a"))).toEqual(fresh);
    });

    test("a claim repeated by its owner has the same outcome and renews the lease", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const { messageId, request } = mail(store, features);
      await ledger.claim(request("a"));
      const before = await ledger.find(messageId);
      expect(await ledger.claim(request("a", { leaseMs: longMs }))).toEqual(fresh);
      const after = await ledger.find(messageId);
      expect(after?.leaseUntil).toBeGreaterThan((before?.leaseUntil ?? 0) + longMs / 2);
      expect(after?.history).toHaveLength(1);
    });

    test("another owner waits for what is left of the lease", async () => {
      await using store = await openStore();
      const [ledger, other] = [await store.open(), await store.open()];
      const { request } = mail(store, features);
      await ledger.claim(request("a", { leaseMs: longMs }));
      const outcome = await other.claim(request("b"));
      expect(outcome).toMatchObject({ kind: "leased", state: "claimed" });
      const waitMs = outcome.kind === "leased" ? outcome.waitMs : 0;
      expect(waitMs).toBeGreaterThan(longMs - 5000);
      expect(waitMs).toBeLessThanOrEqual(longMs);
    });

    test("a deferred mail is nobody's until its next attempt; then the first claim wins", async () => {
      await using store = await openStore();
      const [ledger, other] = [await store.open(), await store.open()];
      const { request, claim } = mail(store, features);
      await ledger.claim(request("a", { leaseMs: longMs }));
      expect(await other.claim(request("b"))).toMatchObject({ kind: "leased", deferred: false });
      const deferral = { kind: "deferred", countsAttempt: true, leaseMs, reason: "451" } as const;
      await ledger.advance(claim("a"), deferral);
      const outcome = await other.claim(request("b"));
      expect(outcome).toMatchObject({ kind: "leased", state: "claimed", deferred: true });
      expect(outcome.kind === "leased" ? outcome.waitMs : 0).toBeWithin(0, leaseMs + 1);
      await store.pass(leaseMs + 1);
      expect(await other.claim(request("b"))).toEqual({ ...fresh, fence: 2, attempts: 1 });
      expect(await ledger.claim(request("a"))).toMatchObject({ kind: "leased", deferred: false });
    });

    test("after the lease another owner claims with the next fence", async () => {
      await using store = await openStore();
      const [ledger, other] = [await store.open(), await store.open()];
      const { request } = mail(store, features);
      await ledger.claim(request("a"));
      await store.pass(leaseMs + 1);
      expect(await other.claim(request("b"))).toEqual({ ...fresh, fence: 2 });
    });

    test("a replaced owner changes nothing and gets `lost`", async () => {
      await using store = await openStore();
      const [ledger, other] = [await store.open(), await store.open()];
      const { messageId, request, claim } = mail(store, features);
      await ledger.claim(request("a"));
      await store.pass(leaseMs + 1);
      await other.claim(request("b", { leaseMs: longMs }));
      const before = await store.read(messageId);
      for (const change of [
        { kind: "renew", state: "claimed", leaseMs },
        { kind: "submitting", leaseMs },
        { kind: "deferred", countsAttempt: true, leaseMs, reason: "451" },
        { kind: "rejected", class: "refused", reason: "550" },
        { kind: "ambiguous", reason: "lost" },
        { kind: "expired" },
        { kind: "suppressed", reason: "unsubscribed" },
      ] as const) {
        const outcome = await ledger.advance(claim("a"), change);
        expect(outcome).toEqual({ kind: "lost", state: "claimed" });
      }
      for (const neither of [claim("a", 2), claim("b", 1), claim("c", 3)]) {
        const outcome = await ledger.advance(neither, { kind: "expired" });
        expect(outcome).toEqual({ kind: "lost", state: "claimed" });
      }
      expect(await store.read(messageId)).toBe(before);
    });

    test("an owner that nobody replaced goes on after its lease", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const { request, claim } = mail(store, features);
      await ledger.claim(request("a"));
      await store.pass(leaseMs + 1);
      expect(await ledger.advance(claim("a"), { kind: "submitting", leaseMs })).toEqual({
        kind: "done",
      });
    });

    test("of many that claim at once, one wins", async () => {
      await using store = await openStore();
      const ledgers = await Promise.all([store.open(), store.open(), store.open()]);
      const { request } = mail(store, features);
      const outcomes = await Promise.all(
        Array.from({ length: 30 }, (_, index) =>
          ledgers[index % 3]?.claim(request(`owner-${index}`, { leaseMs: longMs })),
        ),
      );
      const kinds = outcomes.map((outcome) => outcome?.kind);
      expect(kinds.filter((kind) => kind === "claimed")).toHaveLength(1);
      expect(kinds.filter((kind) => kind === "leased")).toHaveLength(29);
    });

    test("of many that wait for a lease to end, one wins", async () => {
      await using store = await openStore();
      const ledgers = await Promise.all([store.open(), store.open(), store.open()]);
      const { request } = mail(store, features);
      await ledgers[0].claim(request("gone"));
      await store.pass(leaseMs + 1);
      const outcomes = await Promise.all(
        Array.from({ length: 12 }, (_, index) =>
          ledgers[index % 3]?.claim(request(`owner-${index}`, { leaseMs: longMs })),
        ),
      );
      const winners = outcomes.filter((outcome) => outcome?.kind === "claimed");
      expect(winners).toEqual([{ ...fresh, fence: 2 }]);
    });

    test("the same id with another digest is a conflict in every state", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      for (const state of ledgerStates) {
        const one = mail(store, features);
        await bringTo(ledger, one, state, longMs);
        const outcome = await ledger.claim(one.request("b", { digest: "key001.another" }));
        expect([state, outcome]).toEqual([state, { kind: "id_conflict" }]);
      }
    });

    test("a digest made with another key is no conflict", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const one = mail(store, features);
      await bringTo(ledger, one, "accepted", longMs);
      const outcome = await ledger.claim(one.request("b", { digest: "key002.another" }));
      expect(outcome.kind).toBe("accepted");
    });

    test("an event that the ledger may have forgotten is too old, unless it is a replay", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const eventTimestamp = store.now() - ledgerForgetsAfterMs - 1000;
      const old = mail(store, features);
      expect(await ledger.claim(old.request("a", { eventTimestamp }))).toEqual({ kind: "too_old" });
      expect(await ledger.find(old.messageId)).toBeUndefined();
      const replay = old.request("a", { eventTimestamp, replayCount: 1 });
      expect(await ledger.claim(replay)).toEqual({ ...fresh, replays: 1 });
      const young = mail(store, features);
      const stillKnown = young.request("a", { eventTimestamp: eventTimestamp + 10_000 });
      expect(await ledger.claim(stillKnown)).toEqual(fresh);
    });

    test("an old event with a record is not too old", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const { request } = mail(store, features);
      await ledger.claim(request("a", { leaseMs: longMs }));
      const eventTimestamp = store.now() - 2 * ledgerForgetsAfterMs;
      expect(await ledger.claim(request("b", { eventTimestamp }))).toMatchObject({
        kind: "leased",
      });
    });
  });
}

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

    test("submitting may be repeated, and renews the lease", async () => {
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

    test("an ambiguous mail with a dead letter is not resubmitted: a person decides", async () => {
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

    test("a definite refusal leaves submitting at once; the attempt counts where it should", async () => {
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

    test("a repeated deferral counts once, and the next attempt's counts again", async () => {
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

    test("a deferral without a lease lets anyone claim at once, and the attempts still count", async () => {
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
