import { describe, test } from "bun:test";
import type { DeliveryLedger, LedgerRecord } from "../../src/email/ledger/delivery-ledger.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import type { OpenLedgerStore } from "./delivery-ledger.ts";
import { checkRepeat, checkStep } from "./delivery-ledger-invariants.ts";
import type { LedgerAnswer, LedgerCall, MailWorld, OwnerRun } from "./delivery-ledger-owner.ts";
import { ownMail } from "./delivery-ledger-owner.ts";
import type { LedgerFeatures, LedgerStore } from "./delivery-ledger-store.ts";
import { mail } from "./delivery-ledger-store.ts";

const stepsPerSeed = 60;
const ownersAtOnce = 3;

/**
 * Three owners at a time work on one mail; each may pause for as long as it likes, lose the answer
 * of any call and make it again, or die and be followed by another. After each call the record is
 * looked at: what may never happen stands in delivery-ledger-invariants.ts.
 */
export function interleavings(openStore: OpenLedgerStore, features: LedgerFeatures): void {
  describe("random interleavings", () => {
    test(`${features.seeds} seeds of ${ownersAtOnce} owners that pause, lose answers and die`, async () => {
      await using store = await openStore();
      const first = Number(process.env["TEST_SEED"] ?? 1 + Math.floor(Math.random() * 1e9));
      const seeds = Array.from({ length: features.seeds }, (_, index) => first + index);
      const sends = await Promise.all(seeds.map((seed) => runSeed(store.branch(), features, seed)));
      const total = sends.reduce((sum, count) => sum + count, 0);
      if (total < features.seeds / 4) throw new Error(`the owners hardly sent anything: ${total}`);
    }, 60_000);
  });
}

interface Slot {
  ledger: DeliveryLedger;
  run: OwnerRun;
  call: LedgerCall | undefined;
  /** The call was made and its answer was lost. */
  unheard: { readonly answer: LedgerAnswer; readonly revision: number } | undefined;
}

async function runSeed(store: LedgerStore, features: LedgerFeatures, seed: number) {
  const random = new SeededRandom(seed);
  const { messageId, request } = mail(store, features);
  const world: MailWorld = { now: () => store.now(), maybeSent: false, sends: 0 };
  const { leaseMs } = features;
  const begin = () => ownMail({ random, world, request, leaseMs });
  const seats: Slot[] = [];
  for (let seat = 0; seat < ownersAtOnce; seat += 1) {
    seats.push({ ledger: await store.open(), run: begin(), call: undefined, unheard: undefined });
  }
  const log: string[] = [];
  let before: LedgerRecord | undefined;
  try {
    for (let step = 0; step < stepsPerSeed; step += 1) {
      if (random.chance(0.15)) await store.pass(Math.ceil(leaseMs * (0.2 + random.next())));
      const seat = random.pick(seats);
      if (seat === undefined) continue;
      if (random.chance(0.05))
        Object.assign(seat, { run: begin(), call: undefined, unheard: undefined });
      seat.call ??= startOf(seat, begin);
      const { call } = seat;
      const startedAt = store.now();
      const answer = await perform(seat.ledger, call);
      const after = await seats[0]?.ledger.find(messageId);
      log.push(`${step}: ${JSON.stringify(call)} → ${JSON.stringify(answer)}`);
      checkStep({ before, after, call, answer, startedAt });
      if (seat.unheard?.revision === revisionOf(before)) checkRepeat(seat.unheard.answer, answer);
      const isLost = random.chance(0.2);
      seat.unheard = isLost ? { answer, revision: revisionOf(after) } : undefined;
      const next = seat.run.next(isLost ? "lost_answer" : answer);
      seat.call = next.done ? undefined : next.value;
      if (seat.call !== call) seat.unheard = undefined;
      if (next.done) seat.run = begin();
      before = after;
    }
  } catch (error) {
    const last = log.slice(-12).join("\n");
    throw new Error(`TEST_SEED=${seed}: ${error}\n${last}`, { cause: error });
  }
  return world.sends;
}

function startOf(seat: Slot, begin: () => OwnerRun): LedgerCall {
  for (;;) {
    const first = seat.run.next("lost_answer"); // what is given to a run that starts is not seen
    if (!first.done) return first.value;
    seat.run = begin();
  }
}

async function perform(ledger: DeliveryLedger, call: LedgerCall): Promise<LedgerAnswer> {
  switch (call.kind) {
    case "claim":
      return ledger.claim(call.request);
    case "advance":
      return ledger.advance(call.claim, call.change);
    case "bury":
      await ledger.markBuried(call.messageId, call.position);
      return "buried";
  }
}

function revisionOf(record: LedgerRecord | undefined): number {
  return record !== undefined && "revision" in record ? Number(record.revision) : 0;
}
