import type { NoticeDeps } from "./send-notice.ts";
import { sendNotice } from "./send-notice.ts";
import type { User } from "./users/user-store.ts";

export interface WelcomeDeps extends NoticeDeps {
  /** Whether new users get a mail at all. */
  readonly welcomes: boolean;
}

/** The mail to somebody who signed in for the first time: always the same id, so a user is welcomed once. */
export function welcome(
  deps: WelcomeDeps,
  { id, email, username }: User,
  locale: string | undefined,
): void {
  if (!deps.welcomes) return;
  const messageId = `welcome-${id}`;
  const timestamp = deps.clock.now();
  sendNotice(deps, messageId, async () => ({
    messageId,
    eventType: "welcome",
    timestamp,
    recipient: email,
    data: { username: username ?? email.slice(0, email.lastIndexOf("@")), locale },
    expiresAt: undefined,
  }));
}
