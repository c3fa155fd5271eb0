import { randomToken } from "../core/secret.ts";
import type { EmailEvent } from "./event.ts";
import type { Claim, EventOrigin } from "./ledger/delivery-ledger.ts";

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
}

/** A fresh run, under an owner of its own. */
export function createDeliveryRun(
  given: Pick<DeliveryRun, "value" | "unread" | "replayCount" | "replayedAt" | "origin">,
): DeliveryRun {
  runs += 1;
  const owner = `${processToken}.${runs}`;
  return { ...given, owner, event: undefined, claim: undefined, losses: 0 };
}

const processToken = randomToken(12);
let runs = 0;
