import { describe, expect, test } from "bun:test";
import { decideAdvance } from "../../src/email/ledger/advance-rules.ts";
import { decideClaim } from "../../src/email/ledger/claim-rules.ts";
import type {
  ClaimRequest,
  DeliveryLedger,
  LedgerChange,
  LedgerRecord,
  LedgerStep,
} from "../../src/email/ledger/delivery-ledger.ts";
import type { StoredRecord } from "../../src/email/ledger/record.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import type { LedgerFeatures, LedgerStore, OpenLedgerStore } from "./delivery-ledger-store.ts";
import { bringTo, changes, mail } from "./delivery-ledger-store.ts";

const longMs = 3_600_000;

export function batchRules(openStore: OpenLedgerStore, features: LedgerFeatures): void {
  const { leaseMs } = features;

  describe("batches", () => {
    test("each claim of a batch has its own answer, in order", async () => {
      await using store = await openStore();
      const [ledger, other] = [await store.open(), await store.open()];
      const mails = Array.from({ length: 9 }, () => mail(store, features));
      const [fresh, own, leased, sent, gone, conflict, expired, suppressed, refused] = mails;
      for (const [one, state] of [
        [own, "claimed"],
        [sent, "accepted"],
        [conflict, "claimed"],
        [expired, "expired"],
        [suppressed, "suppressed"],
        [refused, "rejected"],
      ] as const) {
        if (one !== undefined) await bringTo(ledger, one, state, longMs);
      }
      if (leased !== undefined) await other.claim(leased.request("b", { leaseMs: longMs }));
      if (gone !== undefined) await other.claim(gone.request("b", { leaseMs }));
      await store.pass(leaseMs + 1);
      const requests = mails.map((one) =>
        one.request("a", {
          leaseMs: longMs,
          digest: one === conflict ? "key001.another" : "key001.digest",
        }),
      );
      const old = mail(store, features);
      const eventTimestamp = store.now() - 2 * 86_400_000;
      requests.push(old.request("a", { eventTimestamp }));
      if (fresh !== undefined) requests.push(fresh.request("c"), fresh.request("a"));
      const answers = await ledger.claimAll(requests);
      expect(answers).toMatchObject([
        { kind: "claimed", fence: 1 },
        { kind: "claimed", fence: 1 },
        { kind: "leased", state: "claimed", deferred: false },
        { kind: "accepted" },
        { kind: "claimed", fence: 2 },
        { kind: "id_conflict" },
        { kind: "expired" },
        { kind: "suppressed", reason: "unsubscribed" },
        { kind: "rejected", class: "refused" },
        { kind: "too_old" },
        { kind: "leased" },
        { kind: "claimed", fence: 1 },
      ]);
    });

    test("each step of a batch has its own answer, in order, and a repeat the same", async () => {
      await using store = await openStore();
      const [ledger, other] = [await store.open(), await store.open()];
      const mails = Array.from({ length: 6 }, () => mail(store, features));
      const [usual, replaced, late, unknown, refused, long] = mails;
      const known = mails.filter((one) => one !== unknown);
      await ledger.claimAll(known.map((one) => one.request("a", { leaseMs })));
      await store.pass(leaseMs + 1);
      const lost = [replaced, late].flatMap((one) => (one === undefined ? [] : [one]));
      await other.claimAll(lost.map((one) => one.request("b", { leaseMs: longMs })));
      const change = (one: (typeof mails)[number]): LedgerChange => {
        const smtp = { host: "mx", reply: `250 100% ${"ü".repeat(499)}`, queueId: undefined };
        if (one === long) return { kind: "accepted", smtp };
        if (one === late) return changes.accepted;
        return one === refused ? changes.rejected : { kind: "submitting", leaseMs: longMs };
      };
      const steps = mails.map((one) => ({ claim: one.claim("a"), change: change(one) }));
      const expected = [
        { kind: "done" },
        { kind: "lost", state: "claimed" },
        { kind: "late" },
        { kind: "lost", state: "none" },
        { kind: "done" },
        { kind: "done" },
      ] as const;
      for (let time = 0; time < 2; time += 1) {
        expect(await ledger.advanceAll(steps)).toEqual([...expected]);
      }
      const states = await Promise.all(mails.map((one) => ledger.find(one.messageId)));
      expect(states.map((record) => record?.state)).toEqual([
        "submitting",
        "claimed",
        "accepted",
        undefined,
        "rejected",
        "accepted",
      ]);
      expect(states[5]?.smtp?.reply).toStartWith("250 100% üü");
      expect(states[0]?.messageId).toBe(usual?.messageId);
    });

    test("an empty batch has no answers", async () => {
      await using store = await openStore();
      const ledger = await store.open();
      expect([await ledger.claimAll([]), await ledger.advanceAll([])]).toEqual([[], []]);
    });

    test("random batches of three owners leave what the rules decide", async () => {
      await using store = await openStore();
      const first = Number(process.env["TEST_SEED"] ?? 1 + Math.floor(Math.random() * 1e9));
      const seeds = Array.from({ length: features.batchSeeds }, (_, index) => first + index);
      await Promise.all(seeds.map((seed) => runBatches(store.branch(), features, seed)));
    }, 60_000);
  });
}

const mailsPerSeed = 8;
const batchesPerSeed = 30;
/** Has ended by the next batch. */
const shortMs = 1;

/**
 * Owners "a", "b" and "c" take, take over, repeat and end mails by batches; a model does the same by
 * the rules, one call after the other. Leases are so short, or so long, that the two never differ
 * about which has ended.
 */
async function runBatches(store: LedgerStore, features: LedgerFeatures, seed: number) {
  const random = new SeededRandom(seed);
  const ledgers: DeliveryLedger[] = [await store.open(), await store.open(), await store.open()];
  const mails = Array.from({ length: mailsPerSeed }, () => mail(store, features));
  const model = new Map<string, StoredRecord>();
  const claims = new Map<string, LedgerStep["claim"]>();
  for (let batch = 0; batch < batchesPerSeed; batch += 1) {
    await store.pass(shortMs + 1);
    const ledger = random.pick(ledgers) as DeliveryLedger;
    const some = mails.filter(() => random.chance(0.7));
    const times = random.chance(0.3) ? 2 : 1; // the answers were lost, and all is repeated
    if (random.chance(0.4)) {
      const requests = some.map((one) => randomRequest(random, one));
      for (let time = 0; time < times; time += 1) {
        const answers = await ledger.claimAll(requests);
        const now = store.now();
        const expected = requests.map((request) => {
          const decision = decideClaim(model.get(request.messageId), request, now);
          if (decision.write) model.set(request.messageId, decision.write);
          return decision.outcome;
        });
        expect(answers.map(timeless), `TEST_SEED=${seed}`).toEqual(expected.map(timeless));
      }
      for (const { messageId, owner } of requests) {
        const fence = model.get(messageId)?.fence ?? 1;
        claims.set(`${messageId} ${owner}`, { messageId, owner, fence });
      }
    } else {
      const steps = some.flatMap((one) => {
        const claim = claims.get(`${one.messageId} ${random.pick(["a", "b", "c"])}`);
        return claim === undefined ? [] : [{ claim, change: randomChange(random) }];
      });
      for (let time = 0; time < times; time += 1) {
        const answers = await ledger.advanceAll(steps);
        const now = store.now();
        const expected = steps.map(({ claim, change }) => {
          const decision = decideAdvance(model.get(claim.messageId), claim, change, now);
          if (decision.write) model.set(claim.messageId, decision.write);
          return decision.outcome;
        });
        expect(answers, `TEST_SEED=${seed}`).toEqual(expected);
      }
    }
    for (const { messageId } of mails) {
      const found = await ledger.find(messageId);
      const modelled = model.get(messageId);
      expect(untimed(found), `TEST_SEED=${seed}`).toEqual(untimed(modelled));
    }
  }
}

function randomRequest(random: SeededRandom, { request }: ReturnType<typeof mail>): ClaimRequest {
  return request(random.pick(["a", "b", "c"]) ?? "a", {
    leaseMs: random.chance(0.3) ? shortMs : longMs,
    replayCount: random.chance(0.2) ? 1 + random.below(2) : 0,
    resubmit: random.chance(0.3),
    digest: random.chance(0.05) ? "key001.another" : "key001.digest",
    origin: { topic: "t", partition: 0, offset: random.below(3) },
    traceId: random.chance(0.5) ? "0af7651916cd43dd8448eb211c80319c" : undefined,
    eventTimestamp: Date.UTC(2100, 0), // never too old
  });
}

function randomChange(random: SeededRandom): LedgerChange {
  const leaseMs = random.chance(0.3) ? shortMs : longMs;
  const state = random.chance(0.5) ? "claimed" : "submitting";
  const reason = `451 100%s ü ${"x".repeat(random.below(250))}`;
  const smtp = { host: "mx", reply: reason, queueId: random.chance(0.5) ? "A%1" : undefined };
  return (
    random.pick<LedgerChange>([
      { kind: "renew", state, leaseMs },
      { kind: "submitting", leaseMs },
      { kind: "submitting", leaseMs },
      { kind: "accepted", smtp },
      { kind: "deferred", countsAttempt: random.chance(0.5), leaseMs, reason },
      { kind: "rejected", class: "refused", reason, smtp },
      { kind: "ambiguous", reason },
      random.chance(0.5) ? changes.expired : changes.suppressed,
    ]) ?? changes.expired
  );
}

function timeless(answer: object) {
  return { ...answer, waitMs: 0, sentAt: 0 };
}

/** The record without its times, which are the store's own. */
function untimed(record: LedgerRecord | undefined) {
  if (record === undefined) return undefined;
  const history = record.history.map((entry) => ({ ...entry, at: 0 }));
  const sentAt = record.sentAt === undefined ? undefined : 0;
  return { ...record, leaseUntil: 0, sentAt, history };
}
