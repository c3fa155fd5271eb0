import type { Clock } from "../../core/clock.ts";
import { withDeadline } from "../../core/deadline.ts";
import { errorMessage, isInstantError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { EmailEvent } from "../event.ts";
import { lineOf } from "../event-line.ts";
import type { SendOutcome } from "../mailer/mailer.ts";
import { recipientKey } from "../recipient-key.ts";
import type { SuppressionStore } from "./suppression-store.ts";

export interface SuppressRefusedDeps {
  readonly suppressions: Pick<SuppressionStore, "add">;
  readonly clock: Clock;
  readonly log: Log;
  /** How long; 0: refusals suppress nothing. */
  readonly suppressionMs: number;
}

type Refusal = Extract<SendOutcome, { kind: "refused" }>;

/** The server was asked to take it a moment ago; nobody waits long for a store that is away. */
const addDeadlineMs = 1_000;

/**
 * Enhanced status codes (RFC 3463; X.1.10: RFC 7505) that say of the recipient, and of nothing else,
 * that no mail will ever reach it: no such mailbox (5.1.1), no such host (5.1.2), bad syntax (5.1.3),
 * moved (5.1.6), a domain without mail (5.1.10), disabled (5.2.1). 5.1.7 and 5.1.8 are about the
 * sender, 5.7.x about policy, and a 550 alone may be anything.
 */
const recipientCodes: ReadonlySet<string> = new Set([
  "5.1.1",
  "5.1.2",
  "5.1.3",
  "5.1.6",
  "5.1.10",
  "5.2.1",
]);

/**
 * Suppresses the recipient of a mail when it was refused as such, so that the next mail to it is not
 * even tried. Never throws for a store that is away: the next refusal will do it.
 */
export function createSuppressRefused(deps: SuppressRefusedDeps) {
  const { suppressions, clock, log, suppressionMs } = deps;
  return async function suppressRefused(event: EmailEvent, refusal: Refusal): Promise<void> {
    const { stage, enhancedCode = "", reply } = refusal;
    if (suppressionMs === 0 || stage !== "recipient" || !recipientCodes.has(enhancedCode)) return;
    const address = event.recipient.toLowerCase();
    const createdAt = clock.now();
    const entry = {
      key: recipientKey(address),
      address,
      reason: "bounced",
      note: reply,
      createdAt,
      expiresAt: createdAt + suppressionMs,
    } as const;
    try {
      await withDeadline("suppressing an address", addDeadlineMs, suppressions.add([entry]));
      log.warn({ ...lineOf(event), reason: "bounced", reply }, "Address suppressed");
    } catch (error) {
      if (!isInstantError(error)) throw error;
      log.warn({ ...lineOf(event), error: errorMessage(error) }, "Address could not be suppressed");
    }
  };
}

export type SuppressRefused = ReturnType<typeof createSuppressRefused>;
