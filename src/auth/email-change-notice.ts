import { maskEmail } from "../core/log.ts";
import type { NoticeDeps } from "./send-notice.ts";
import { sendNotice } from "./send-notice.ts";

export interface EmailChangeNoticeDeps extends NoticeDeps {
  /** Whether the address that was left is told. */
  readonly emailChangeNotices: boolean;
}

export interface NoticedChange {
  readonly from: string;
  readonly to: string;
  /** Of the mail that brought the code. */
  readonly messageId: string;
  readonly locale: string | undefined;
}

/**
 * The mail to the address that a user left: it is the last that reaches somebody whose account another
 * person took. It does not show the new one. A code changes an address once: one notice a change.
 */
export function noticeEmailChange(deps: EmailChangeNoticeDeps, change: NoticedChange): void {
  if (!deps.emailChangeNotices) return;
  const messageId = `email-change-${change.messageId}`;
  const timestamp = deps.clock.now();
  sendNotice(deps, messageId, async () => ({
    messageId,
    eventType: "email_change",
    timestamp,
    recipient: change.from,
    data: {
      new_email: maskEmail(change.to),
      changed_at: new Date(timestamp).toISOString(),
      locale: change.locale,
    },
    expiresAt: undefined,
  }));
}
