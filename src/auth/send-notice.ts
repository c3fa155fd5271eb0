import type { Clock } from "../core/clock.ts";
import { errorMessage } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { EmailEvent } from "../email/event.ts";
import type { EmailPublisher } from "../email/publisher.ts";

export interface NoticeDeps {
  readonly publisher: EmailPublisher;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Asks for a mail that tells somebody what happened. Nobody waits for it, and what happened does not
 * fail for it: a process that dies in that moment, or finds no way to send, leaves it out. `create`
 * may ask the stores; undefined: there is nothing to tell.
 */
export function sendNotice(
  { publisher, log }: NoticeDeps,
  messageId: string,
  create: () => Promise<EmailEvent | undefined>,
): void {
  const phrase = "A notice was not sent";
  const send = async () => {
    const event = await create();
    const outcome = event === undefined ? undefined : await publisher.publish(event);
    if (outcome?.kind === "unavailable" || outcome?.kind === "unsupported_address") {
      log.warn({ messageID: messageId, reason: outcome.kind }, phrase);
    }
  };
  send().catch((error: unknown) => {
    log.error({ messageID: messageId, error: errorMessage(error) }, phrase);
  });
}
