import { describe, test } from "bun:test";
import type {
  AdvanceOutcome,
  BuriedPosition,
  Claim,
  ClaimOutcome,
  ClaimRequest,
  DeliveryLedger,
  LedgerChange,
  LedgerRecord,
} from "../../src/email/ledger/delivery-ledger.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import type { LedgerFeatures, LedgerStore, OpenLedgerStore } from "./delivery-ledger-store.ts";
import { changes, mail } from "./delivery-ledger-store.ts";

const stepsPerSeed = 60;
const ownersAtOnce = 3;

/**
 * Three owners at a time work on one mail; each may pause for as long as it likes, lose the answer
 * of any call and make it again, or die and be followed by another. After each call the record is
 * checked: `checkStep` has what may never happen.
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
    const first = seat.run.next("lost_answer"); // a generator ignores what its first next is given
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

type LedgerCall =
  | { readonly kind: "claim"; readonly request: ClaimRequest }
  | { readonly kind: "advance"; readonly claim: Claim; readonly change: LedgerChange }
  | { readonly kind: "bury"; readonly messageId: string; readonly position: BuriedPosition };

/** `lost_answer`: the call was made, or was not; its owner cannot know. */
type LedgerAnswer = ClaimOutcome | AdvanceOutcome | "buried" | "lost_answer";
type OwnerRun = Generator<LedgerCall, void, LedgerAnswer>;

/** The SMTP server and what the owners did to it. */
interface MailWorld {
  now(): number;
  /** A send whose mail the server may have taken. */
  maybeSent: boolean;
  sends: number;
}

interface OwnerOptions {
  readonly random: SeededRandom;
  readonly world: MailWorld;
  readonly request: (owner: string, other: Partial<ClaimRequest>) => ClaimRequest;
  readonly leaseMs: number;
}

let owners = 0;

/**
 * One owner at work on one mail, as the pipeline would be: each yield is a call that the scheduler
 * makes when it likes, and between two yields any time may pass. Repeated until answered.
 */
function* ownMail({ random, world, request, leaseMs }: OwnerOptions): OwnerRun {
  owners += 1;
  const owner = `owner-${owners}`;
  const replayCount = random.chance(0.15) ? 1 + random.below(3) : 0;
  const resubmit = random.chance(0.4);
  const outcome = yield* ask({ kind: "claim", request: request(owner, { replayCount, resubmit }) });
  if (outcome.kind === "rejected" || outcome.kind === "ambiguous") {
    const position = { partition: 0, offset: random.below(1000) };
    if (outcome.buried === undefined && random.chance(0.5)) {
      yield* ask({ kind: "bury", messageId: request(owner, {}).messageId, position });
    }
    return;
  }
  if (outcome.kind !== "claimed") return;
  if (world.maybeSent && !outcome.resubmission) throw new Error("claimed anew after it was sent");
  const { messageId } = request(owner, {});
  const claim = { messageId, owner, fence: outcome.fence };
  const advance = (change: LedgerChange): LedgerCall => ({ kind: "advance", claim, change });
  if (random.chance(0.1)) {
    yield* ask(advance(random.chance(0.5) ? changes.expired : changes.suppressed));
    return;
  }
  if (random.chance(0.3)) yield* ask(advance({ kind: "renew", state: "claimed", leaseMs }));
  const askedAt = world.now();
  const submitting = advance({ kind: "submitting", leaseMs });
  let answer = yield submitting;
  if (answer === "lost_answer" && random.chance(0.5)) answer = yield* ask(submitting);
  const isTimely = world.now() < askedAt + leaseMs / 2;
  const isOurs = typeof answer === "object" && answer.kind === "done";
  if (!isOurs || !isTimely) {
    yield* ask(advance({ kind: "deferred", countsAttempt: false, leaseMs: 0, reason: "withheld" }));
    return;
  }
  world.sends += 1;
  const renewal = advance({ kind: "renew", state: "submitting", leaseMs });
  while (random.chance(0.4)) yield renewal; // heard or not: it goes on waiting for the server
  yield* ask(advance(afterSend(random, world)));
}

/** What the server makes of the content, and what the owner can say about it. */
function afterSend(random: SeededRandom, world: MailWorld): LedgerChange {
  switch (random.below(5)) {
    case 0:
      return { kind: "deferred", countsAttempt: true, leaseMs: 0, reason: "451 later" };
    case 1:
      return changes.rejected;
    case 2:
      world.maybeSent = true;
      return changes.ambiguous;
    default:
      world.maybeSent = true;
      return changes.accepted;
  }
}

function* ask(
  call: LedgerCall,
): Generator<LedgerCall, ClaimOutcome | AdvanceOutcome, LedgerAnswer> {
  for (;;) {
    const answer = yield call;
    if (typeof answer === "object") return answer;
    if (answer === "buried") return { kind: "done" };
  }
}

interface Step {
  readonly before: LedgerRecord | undefined;
  readonly after: LedgerRecord | undefined;
  readonly call: LedgerCall;
  readonly answer: LedgerAnswer;
  /** The store's time when the call began: it was made then or later. */
  readonly startedAt: number;
}

/** What no step may do to a record. Throws what was broken. */
function checkStep(step: Step): void {
  const { before, after } = step;
  if (after === undefined) throw new Error("the record is gone");
  if (after.history.length > 20) throw new Error("the history is too long");
  if (before === undefined) return;
  if (after.fence < before.fence) throw new Error("the fence went back");
  if (after.fence > before.fence + 1) throw new Error("the fence skipped one");
  checkLease(step, before, after);
  checkFinal(step, before, after);
  checkResubmission(step, before, after);
  const buried = JSON.stringify(before.buried);
  if (
    before.buried !== undefined &&
    buried !== JSON.stringify(after.buried) &&
    !isReplay(step, before)
  ) {
    throw new Error("the position of the dead letter changed");
  }
}

/** The same call made again, with nothing written in between, has the same answer. */
function checkRepeat(first: LedgerAnswer, second: LedgerAnswer): void {
  const [one, two] = [first, second].map((answer) =>
    JSON.stringify(answer, (key, value) => (key === "waitMs" ? undefined : value)),
  );
  const leasedUntilNow = typeof first === "object" && first.kind === "leased";
  if (one !== two && !leasedUntilNow) throw new Error(`the answer was ${one}, and then ${two}`);
}

/** While a lease lives, nobody but its owner changes the mail (late acceptance is evidence). */
function checkLease({ call, startedAt }: Step, before: LedgerRecord, after: LedgerRecord): void {
  if (before.state !== "claimed" && before.state !== "submitting") return;
  if (JSON.stringify(before) === JSON.stringify(after)) return;
  const isAcceptance = call.kind === "advance" && call.change.kind === "accepted";
  if (isAcceptance || callerOf(call) === before.owner) return;
  const changedAt = after.history.at(-1)?.at ?? startedAt;
  if (changedAt < before.leaseUntil) {
    throw new Error(`${callerOf(call)} changed it in the lease of ${before.owner}`);
  }
}

function checkFinal(step: Step, before: LedgerRecord, after: LedgerRecord): void {
  const { state } = before;
  if (after.state === state || state === "claimed" || state === "submitting") return;
  const isLate = after.state === "accepted" && after.late && state !== "accepted";
  if (isLate || (state !== "accepted" && isReplay(step, before))) return;
  if (state === "ambiguous" && isResubmission(step, before)) return;
  throw new Error(`${state} was lost: it is ${after.state}`);
}

function checkResubmission(step: Step, before: LedgerRecord, after: LedgerRecord): void {
  if (after.resubmissions === before.resubmissions) return;
  if (isReplay(step, before) && after.resubmissions === before.resubmissions + 1) return;
  if (!isResubmission(step, before) || before.resubmissions !== 0 || after.resubmissions !== 1) {
    throw new Error(`resubmitted ${after.resubmissions} times`);
  }
}

function isReplay({ call }: Step, before: LedgerRecord): boolean {
  const isParked = before.state === "ambiguous" && before.buried !== undefined;
  const reopens = before.state === "rejected" || isParked;
  return call.kind === "claim" && reopens && call.request.replayCount > before.replays;
}

function isResubmission({ call }: Step, before: LedgerRecord): boolean {
  return call.kind === "claim" && call.request.resubmit && before.buried === undefined;
}

function callerOf(call: LedgerCall): string {
  if (call.kind === "claim") return call.request.owner;
  return call.kind === "advance" ? call.claim.owner : "the one who buries";
}
