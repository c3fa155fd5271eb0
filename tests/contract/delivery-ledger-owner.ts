import type {
  AdvanceOutcome,
  BuriedPosition,
  Claim,
  ClaimOutcome,
  ClaimRequest,
  LedgerChange,
} from "../../src/email/ledger/delivery-ledger.ts";
import type { SeededRandom } from "../support/seeded-random.ts";
import { changes } from "./delivery-ledger-store.ts";

export type LedgerCall =
  | { readonly kind: "claim"; readonly request: ClaimRequest }
  | { readonly kind: "advance"; readonly claim: Claim; readonly change: LedgerChange }
  | { readonly kind: "bury"; readonly messageId: string; readonly position: BuriedPosition };

/** `lost`: the call was made, or was not; its owner cannot know. */
export type LedgerAnswer = ClaimOutcome | AdvanceOutcome | "buried" | "lost_answer";
export type OwnerRun = Generator<LedgerCall, void, LedgerAnswer>;

/** The SMTP server and what the owners did to it. */
export interface MailWorld {
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
 * makes when it likes, and between two yields any time may pass. Asked again until answered.
 */
export function* ownMail({ random, world, request, leaseMs }: OwnerOptions): OwnerRun {
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
