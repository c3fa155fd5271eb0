import type { DeadLetterClass } from "../../src/email/delivery/outcome.ts";
import type { EmailEvent } from "../../src/email/event.ts";

/** What is known of one mail when all is done. */
export interface MailFate {
  readonly event: EmailEvent;
  /** How often the SMTP server accepted it. */
  readonly accepted: number;
  readonly letter: DeadLetterClass | undefined;
  readonly expired: boolean;
  /** How many faults came while its answer was awaited: the ledger said `submitting`. */
  readonly inWindow: number;
  /** The server refuses it for good. */
  readonly refused: boolean;
  /** The faults came before its final dot was written: the server cannot have taken it then. */
  readonly beforeDot: boolean;
}

/**
 * What of the promise was broken; undefined: nothing. Each mail is accepted once, or there is a dead
 * letter. Only by the window may a living code be accepted once more (and be parked when that answer
 * is lost too), and any other mail be parked as ambiguous: the server may have taken it.
 */
export function findBreach(fate: MailFate): string | undefined {
  const { event, accepted, letter, expired, inWindow, refused, beforeDot } = fate;
  const resends = event.eventType === "verification_code" ? 1 : 0;
  if (accepted === 0 && letter === undefined && !expired) return "lost";
  const mayRepeat = beforeDot ? 0 : Math.min(inWindow, resends);
  if (accepted > 1 + mayRepeat || (beforeDot && letter === "ambiguous" && accepted > 0)) {
    return `accepted ${accepted} times`;
  }
  if (letter === undefined) return refused ? "no dead letter of a refused mail" : undefined;
  if (letter === "rejected" && refused && accepted === 0) return undefined;
  if (letter === "ambiguous" && inWindow > resends) return undefined;
  return `dead letter ${letter}, accepted ${accepted} times`;
}
