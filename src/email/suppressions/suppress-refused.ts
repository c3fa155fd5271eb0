import type { Clock } from "../../core/clock.ts";
import { withDeadline } from "../../core/deadline.ts";
import { errorMessage, isInstantError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { classifyReply } from "../../core/smtp/classify-reply.ts";
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
 * Suppresses the recipient of a mail when the reply surely says that it does not exist, or is disabled
 * for good (see the table of replies), so that the next mail to it is not
 * even tried. Never throws for a store that is away: the next refusal will do it.
 */
export function createSuppressRefused(deps: SuppressRefusedDeps) {
  const { suppressions, clock, log, suppressionMs } = deps;
  return async function suppressRefused(event: EmailEvent, refusal: Refusal): Promise<void> {
    const { stage, reply } = refusal;
    if (suppressionMs === 0 || stage !== "recipient") return;
    if (classifyReply({ ...refusal, text: reply }, stage) !== "no_such_recipient") return;
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
