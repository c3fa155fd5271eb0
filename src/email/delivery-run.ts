import { randomToken } from "../core/secret.ts";
import type { EmailEvent } from "./event.ts";
import type { Claim, EventOrigin } from "./ledger/delivery-ledger.ts";
import type { RefusedMail } from "./mailer/mailer.ts";
import type { WaitingOutcome } from "./outcome.ts";

/** One delivery of one event, through all its tries. Made by who calls the pipeline. */
export interface DeliveryRun {
  readonly value: Uint8Array | null;
  readonly replayCount: number;
  /** Since when an outage holds it, Unix ms: the record's time for a replayed one. */
  readonly replayedAt: number | undefined;
  /** Nobody else's, the same through all tries: it names the claim's owner. */
  readonly owner: string;
  /** Where the event lies; undefined: it came directly. */
  readonly origin: EventOrigin | undefined;
  /** Why `value` is not the whole record; left out: it is. */
  readonly unread?: string;
  event: EmailEvent | undefined;
  /** The newest claim this run held, so that its caller can let it go. */
  claim: Claim | undefined;
  /** Connections lost before the content ended. */
  losses: number;
  /** Refusals that were not known to be the server's fault when they came. */
  refusals: number;
  /** The one that turned out to be the recipient's: the next run only has to settle it. */
  refusal: RefusedMail | undefined;
}

/** A fresh run, under an owner of its own. */
export function createDeliveryRun(
  given: Pick<DeliveryRun, "value" | "unread" | "replayCount" | "replayedAt" | "origin">,
): DeliveryRun {
  runs += 1;
  const owner = `${processToken}.${runs}`;
  return {
    ...given,
    owner,
    event: undefined,
    claim: undefined,
    losses: 0,
    refusals: 0,
    refusal: undefined,
  };
}

/** Waits for what a refusal turns out to be; for the caller, outside of what bounds its runs. */
export async function untilConfirmed(
  { refusal, verdict }: Extract<WaitingOutcome, { kind: "unconfirmed" }>,
  run: DeliveryRun,
  signal: AbortSignal,
): Promise<void> {
  const ended = Promise.withResolvers<"aborted">();
  const onAbort = () => ended.resolve("aborted");
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  if ((await Promise.race([verdict, ended.promise])) === "refused") run.refusal = refusal;
  signal.removeEventListener("abort", onAbort);
}

const processToken = randomToken(12);
let runs = 0;
