import type { HttpBoundary } from "../core/http/config.ts";
import type { NoticeDeps } from "./send-notice.ts";
import { sendNotice } from "./send-notice.ts";
import { unknownDevice } from "./sessions/device.ts";
import type { Session, SessionStore } from "./sessions/session-store.ts";
import type { User } from "./users/user-store.ts";

export interface SignInNoticeDeps extends NoticeDeps {
  readonly sessions: SessionStore;
  /** Whether anybody is told of a sign-in. */
  readonly signInNotices: boolean;
  readonly boundary: Pick<HttpBoundary, "publicOrigin">;
}

export interface NoticedSignIn {
  readonly user: User;
  /** The new one. */
  readonly session: Session;
  /** Of the mail that brought the code. */
  readonly messageId: string;
  readonly locale: string | undefined;
}

/**
 * The mail that tells of a sign-in on a device that none of the person's other live sessions is on, as
 * the list of sessions names it. A code signs in once, so its id makes the notice's: one a sign-in.
 */
export function noticeSignIn(deps: SignInNoticeDeps, signIn: NoticedSignIn): void {
  if (!deps.signInNotices) return;
  const { user, session } = signIn;
  const { device, createdAt } = session;
  const messageId = `sign-in-notice-${signIn.messageId}`;
  const timestamp = deps.clock.now();
  sendNotice(deps, messageId, async () => {
    const others = (await deps.sessions.list(user.id)).filter(({ id }) => id !== session.id);
    if (others.some((other) => other.device === device)) return undefined;
    return {
      messageId,
      eventType: "sign_in_notice",
      timestamp,
      recipient: user.email,
      data: {
        signed_in_at: new Date(createdAt).toISOString(),
        ...(device === unknownDevice ? {} : { device }),
        ...accountLink(deps.boundary),
        locale: signIn.locale,
      },
      expiresAt: undefined,
    };
  });
}

/** Where sessions are ended, when PUBLIC_URL says it; a mail holds no link in the clear. */
function accountLink({ publicOrigin }: SignInNoticeDeps["boundary"]) {
  return publicOrigin?.startsWith("https:") ? { account_link: `${publicOrigin}/account` } : {};
}
