import type { Clock } from "../core/clock.ts";
import { errorMessage } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { EmailEvent } from "../email/event.ts";
import type { EmailPublisher } from "../email/publisher.ts";
import type { User } from "./users/user-store.ts";

export interface WelcomeDeps {
  readonly publisher: EmailPublisher;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether new users get a mail at all. */
  readonly welcomes: boolean;
}

/**
 * Asks for the mail to somebody who signed in for the first time. Nobody waits for it, and a sign-in
 * does not fail for it: a process that dies in that moment, or finds no way to send, leaves it out.
 */
export function welcome({ publisher, clock, log, welcomes }: WelcomeDeps, user: User): void {
  if (!welcomes) return;
  const event = createEvent(user, clock.now());
  publisher.publish(event).then(
    ({ kind }) => {
      if (kind === "unavailable") log.warn({ messageID: event.messageId }, "No welcome mail");
    },
    (error: unknown) => {
      log.error({ messageID: event.messageId, error: errorMessage(error) }, "No welcome mail");
    },
  );
}

/** The same id whenever it is asked for: a user is welcomed once. */
function createEvent({ id, email, username }: User, now: number): EmailEvent {
  return {
    messageId: `welcome-${id}`,
    eventType: "welcome",
    timestamp: now,
    recipient: email,
    data: { username: username ?? email.slice(0, email.lastIndexOf("@")) },
    expiresAt: undefined,
  };
}
