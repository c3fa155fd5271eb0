import { describe, expect, test } from "bun:test";
import { ledgerTtlMs } from "../../src/email/ledger/delivery-ledger.ts";
import type { LedgerFeatures, OpenLedgerStore } from "./delivery-ledger-store.ts";
import { bringTo, changes, mail, smtp } from "./delivery-ledger-store.ts";

export function recordRules(openStore: OpenLedgerStore, features: LedgerFeatures): void {
  const longMs = 60_000;

  describe("record", () => {
    test("it is JSON in snake case with times as in RFC 3339, the head after the history", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const one = mail(store, features);
      await bringTo(ledger, one, "accepted", longMs);
      const text = (await store.read(one.messageId)) ?? "";
      expect(text).toContain(
        '}],"state":"accepted","fence":1,"owner":"a","revision":3,"lease_until":',
      );
      const time = expect.stringMatching(/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      const { host, reply, queueId } = smtp;
      expect(JSON.parse(text)).toEqual({
        state: "accepted",
        fence: 1,
        owner: "a",
        revision: 3,
        lease_until: time,
        attempts: 0,
        replays: 0,
        resubmissions: 0,
        digest: "key001.digest",
        event_type: "welcome",
        recipient: "a***@example.com",
        requested_at: time,
        sent_at: time,
        smtp: { host, reply, queue_id: queueId },
        history: ["claimed", "submitting", "accepted"].map((state) => ({
          at: time,
          state,
          fence: 1,
        })),
      });
      const found = await ledger.find(one.messageId);
      const sentAt = Date.parse(JSON.parse(text).sent_at);
      expect(found?.sentAt).toBe(sentAt);
      expect(Math.abs(sentAt - store.now())).toBeLessThan(5000);
    });

    test("its lease ends as long after the store's time as was requested", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const one = mail(store, features);
      await bringTo(ledger, one, "submitting", longMs);
      const record = await ledger.find(one.messageId);
      const at = record?.history.at(-1)?.at ?? 0;
      expect(record?.leaseUntil).toBe(at + longMs);
    });

    test("what happened earlier keeps its time", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const one = mail(store, features);
      await bringTo(ledger, one, "claimed", longMs);
      const claimedAt = (await ledger.find(one.messageId))?.history[0]?.at ?? 0;
      await store.pass(20);
      await ledger.advance(one.claim("a"), { kind: "submitting", leaseMs: longMs });
      await ledger.advance(one.claim("a"), changes.accepted);
      const times =
        (await ledger.find(one.messageId))?.history.map(({ at }) => at - claimedAt) ?? [];
      expect(times[0]).toBe(0);
      expect(times[1]).toBeGreaterThanOrEqual(19);
      expect(times[2]).toBeGreaterThanOrEqual(times[1] ?? 0);
    });

    test("it lives a day from its last change", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const one = mail(store, features);
      await bringTo(ledger, one, "claimed", longMs);
      const changes = [
        () => ledger.advance(one.claim("a"), { kind: "renew", state: "claimed", leaseMs: longMs }),
        () => ledger.advance(one.claim("a"), { kind: "submitting", leaseMs: longMs }),
        () => ledger.advance(one.claim("a"), { kind: "ambiguous", reason: "lost" }),
        () => ledger.markBuried(one.messageId, { partition: 0, offset: 0 }),
      ];
      for (const change of changes) {
        await store.pass(20);
        const before = await store.livesMs(one.messageId);
        await change();
        const after = await store.livesMs(one.messageId);
        expect(before).toBeLessThan(after);
        expect(after).toBeLessThanOrEqual(ledgerTtlMs);
        expect(after).toBeGreaterThan(ledgerTtlMs - 5000);
      }
    });

    test.if(features.daysPass)("after a day without a change it is forgotten", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const one = mail(store, features);
      await bringTo(ledger, one, "accepted", longMs);
      await store.pass(ledgerTtlMs);
      expect(await ledger.find(one.messageId)).toBeUndefined();
      expect(await ledger.count()).toBe(0);
      expect(await ledger.claim(one.request("b"))).toMatchObject({ kind: "claimed", fence: 1 });
    });

    test("what the older service wrote counts as accepted", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const noon = Date.UTC(2026, 0, 31, 12);
      const older = [
        ['{"message_id":"x","sent_at":"2026-01-31T12:00:00Z","recipient":"ana@example.com"}', noon],
        ['{"sent_at":"2026-01-31T13:00:00.000000001+01:00"}', noon],
        [`{"sent_at":${noon / 1000}}`, noon],
        ['{"status":"sent"}', 0],
        ["1", 0],
        ["sent", 0],
        ["", 0],
      ] as const;
      for (const [text, sentAt] of older) {
        const one = mail(store, features);
        await store.plant(one.messageId, text);
        const ask = { replayCount: 1, resubmit: true };
        expect(await ledger.claim(one.request("a", ask))).toEqual({ kind: "accepted", sentAt });
        expect(await store.read(one.messageId)).toBe(text);
        const found = await ledger.find(one.messageId);
        expect(found).toMatchObject({ state: "accepted", fence: 0 });
        expect(found?.recipient).not.toContain("ana@");
        expect(await ledger.advance(one.claim("a"), changes.accepted)).toEqual({ kind: "late" });
      }
    });

    test("a record that this version cannot read is ambiguous, for a person", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      for (const text of ['{"state":"quarantined","fence":1}', '{"state":"claimed"}']) {
        const one = mail(store, features);
        await store.plant(one.messageId, text);
        const ambiguous = { kind: "ambiguous", resubmittable: false, buried: undefined } as const;
        expect(await ledger.claim(one.request("a", { resubmit: true }))).toEqual(ambiguous);
        await ledger.markBuried(one.messageId, { partition: 0, offset: 3 });
        const buried = { partition: 0, offset: 3 };
        expect(await ledger.claim(one.request("a"))).toEqual({ ...ambiguous, buried });
      }
    });

    test("foreign texts are one bounded line without a full address", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const one = mail(store, features);
      await ledger.claim(one.request("a", { recipient: "ana@example.com" }));
      const reason = `550 <ana@example.com>\r\nno "such" user \u0001\u0000 ${"x".repeat(2000)}`;
      const reply = { host: "mx", reply: reason, queueId: undefined };
      await ledger.advance(one.claim("a"), {
        kind: "rejected",
        class: "refused",
        reason,
        smtp: reply,
      });
      const text = (await store.read(one.messageId)) ?? "";
      expect(text).not.toContain("ana@");
      const record = await ledger.find(one.messageId);
      expect(record?.recipient).toBe("a***@example.com");
      expect(record?.reason).toStartWith('550 <a***@example.com> no "such" user ');
      expect(record?.reason).toHaveLength(500);
      expect(record?.smtp?.reply).toHaveLength(500);
      expect(record?.history.at(-1)?.note?.length).toBeLessThanOrEqual(200);
    });

    test("the history keeps the newest 20 changes", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const one = mail(store, features);
      for (let attempt = 1; attempt <= 15; attempt += 1) {
        await ledger.claim(one.request("a", { leaseMs: longMs }));
        await ledger.advance(one.claim("a"), { kind: "submitting", leaseMs: longMs });
        const reason = `451 attempt ${attempt}`;
        const deferral = {
          kind: "deferred",
          countsAttempt: true,
          leaseMs: longMs,
          reason,
        } as const;
        await ledger.advance(one.claim("a"), deferral);
      }
      const { history } = JSON.parse((await store.read(one.messageId)) ?? "{}");
      expect(history).toHaveLength(20);
      expect(history.at(-1)).toMatchObject({ state: "claimed", note: "451 attempt 15" });
      const times = history.map(({ at }: { at: string }) => at);
      expect(times).toEqual(times.toSorted());
    });

    test("new records are counted once, whichever process made them", async () => {
      await using store = await openStore();
      const [ledger, other] = [await store.open(), await store.open()];
      expect(await ledger.count()).toBe(0);
      const one = mail(store, features);
      await bringTo(ledger, one, "accepted", longMs);
      await ledger.claim(one.request("b"));
      await other.claim(one.request("c"));
      expect(await ledger.count()).toBe(1);
      await other.claim(mail(store, features).request("a"));
      expect(await other.count()).toBe(2);
      expect(await ledger.count()).toBe(2);
    });

    test("it has the time of the request, the position of its event, and the owners before", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      const one = mail(store, features);
      const [first, second] = [1, 7].map((offset) => ({ topic: "t", partition: 2, offset }));
      const requestedAt = store.now();
      await ledger.claim(one.request("a", { origin: first, eventTimestamp: requestedAt }));
      expect(await ledger.find(one.messageId)).toMatchObject({ requestedAt, origin: first });
      await store.pass(features.leaseMs + 1);
      await ledger.claim(one.request("b", { origin: second, leaseMs: longMs }));
      await ledger.advance(one.claim("b", 2), { kind: "submitting", leaseMs: longMs });
      const record = await ledger.find(one.messageId);
      expect(record).toMatchObject({ requestedAt, origin: second, owner: "b" });
      expect(record?.history.map(({ owner }) => owner)).toEqual(["a", undefined, undefined]);
    });

    test("an unknown mail is not found", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      expect(await ledger.find(crypto.randomUUID())).toBeUndefined();
    });
  });
}
