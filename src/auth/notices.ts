import { errorMessage } from "../core/errors.ts";
import { maskEmail } from "../core/log.ts";
import type { EmailEvent } from "../email/event.ts";
import type { AuthDeps } from "./auth-deps.ts";
import type { Session } from "./sessions/session-store.ts";
import { unknownDevice } from "./sessions/session-store.ts";
import type { User } from "./users/user-store.ts";

/**
 * Mails about what happened to an account. Nobody waits for one, and what happened does not fail for
 * it: a process that dies in that moment, or finds no way to send, leaves it out. `create` may ask
 * the stores; undefined: there is nothing to report.
 */
function sendNotice(
  { publisher, log }: AuthDeps,
  messageId: string,
  create: () => Promise<EmailEvent | undefined>,
): void {
  const phrase = "Notice not sent";
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

interface NoticedSignIn {
  readonly user: User;
  /** The new one. */
  readonly session: Session;
  /** Of the mail that brought the code. */
  readonly messageId: string;
  readonly locale: string | undefined;
}

/**
 * Reports a sign-in on a device that none of the person's other live sessions is on, as the list of
 * sessions names it. A code signs in once, so its id makes the notice's: one per sign-in.
 */
export function noticeSignIn(deps: AuthDeps, signIn: NoticedSignIn): void {
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

/** Where sessions are ended, when PUBLIC_URL says it; a mail has no link that is not https. */
function accountLink({ publicOrigin }: AuthDeps["boundary"]) {
  return publicOrigin?.startsWith("https:") ? { account_link: `${publicOrigin}/account` } : {};
}

interface NoticedChange {
  readonly from: string;
  readonly to: string;
  /** Of the mail that brought the code. */
  readonly messageId: string;
  readonly locale: string | undefined;
}

/**
 * The mail to the address that a user left: the last that reaches somebody whose account another
 * person took. It does not show the new one. A code changes an address once: one notice per change.
 */
export function noticeEmailChange(deps: AuthDeps, change: NoticedChange): void {
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

/** The mail after the first sign-in: its id is made of the user's, so a user is welcomed once. */
export function welcome(
  deps: AuthDeps,
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
