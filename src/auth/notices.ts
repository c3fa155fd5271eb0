import { errorMessage } from "../core/errors.ts";
import { findLanguage } from "../core/languages.ts";
import { maskEmail } from "../core/log.ts";
import type { EmailEvent } from "../email/event.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { deviceName, pageMessages } from "./pages/page-language.ts";
import type { Session } from "./sessions/session-store.ts";
import { unknownDevice } from "./sessions/session-store.ts";
import type { User } from "./users/user-store.ts";

/**
 * Mails about changes to an account. They are best effort: they are sent in the background, never
 * fail the request, and are lost if the process dies at that moment or cannot send.
 */
function sendNotice({ publisher, log }: AuthDeps, event: EmailEvent): void {
  const { messageId } = event;
  const phrase = "Notice not sent";
  const send = async () => {
    const { kind } = await publisher.publish(event);
    if (kind === "unavailable" || kind === "unsupported_address") {
      log.warn({ messageID: messageId, reason: kind }, phrase);
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
  /** The id of the mail with the code. */
  readonly messageId: string;
  readonly locale: string | undefined;
}

/**
 * Reports a sign-in on a device that was not known, by the name that the list of sessions shows. A
 * code signs in once, so the notice's id is made from its id: one notice per sign-in.
 */
export function noticeSignIn(deps: AuthDeps, signIn: NoticedSignIn): void {
  if (!deps.signInNotices) return;
  const { user, session, locale } = signIn;
  const { device, createdAt } = session;
  const messages = pageMessages[findLanguage(locale ?? "") ?? deps.fallbackLanguage];
  const messageId = `sign-in-notice-${signIn.messageId}`;
  sendNotice(deps, {
    messageId,
    eventType: "sign_in_notice",
    timestamp: deps.clock.now(),
    recipient: user.email,
    data: {
      signed_in_at: new Date(createdAt).toISOString(),
      ...(device === unknownDevice ? {} : { device: deviceName(device, messages) }),
      account_link: mailLink(deps, "/account"),
      locale,
    },
    expiresAt: undefined,
  });
}

/**
 * A link to a page of ours. Undefined where a mail can have none: without PUBLIC_URL, and to a host
 * that is reached by plain http.
 */
export function mailLink(
  { linkOrigin, boundary }: Pick<AuthDeps, "linkOrigin" | "boundary">,
  path: string,
): string | undefined {
  const origin = linkOrigin ?? boundary.publicOrigin;
  const isSafe = /^https:|^http:\/\/(?:localhost|127\.0\.0\.1)(?::|$)/.test(origin ?? "");
  return isSafe ? `${origin}${path}` : undefined;
}

interface NoticedChange {
  readonly from: string;
  readonly to: string;
  /** The id of the mail with the code, or random. */
  readonly messageId: string;
  readonly locale: string | undefined;
  /** Undoes it, until then. */
  readonly undo: { readonly link: string; readonly until: number } | undefined;
}

/**
 * The notice to the old address after a change: the last mail that reaches the owner of a hijacked
 * account. It masks the new address. A code changes an address once, so there is one notice per
 * change.
 */
export function noticeEmailChange(deps: AuthDeps, change: NoticedChange): void {
  if (!deps.emailChangeNotices) return;
  const messageId = `email-change-${change.messageId}`;
  const timestamp = deps.clock.now();
  sendNotice(deps, {
    messageId,
    eventType: "email_change",
    timestamp,
    recipient: change.from,
    data: {
      new_email: maskEmail(change.to),
      changed_at: new Date(timestamp).toISOString(),
      undo_link: change.undo?.link,
      undo_until: change.undo && new Date(change.undo.until).toISOString(),
      locale: change.locale,
    },
    expiresAt: undefined,
  });
}

/** The notice of a deletion, to the address that the account had. */
export function noticeDeletion(
  deps: AuthDeps,
  { id, email }: User,
  locale: string | undefined,
): void {
  const messageId = `account-deleted-${id}`;
  const timestamp = deps.clock.now();
  sendNotice(deps, {
    messageId,
    eventType: "account_deleted",
    timestamp,
    recipient: email,
    data: { deleted_at: new Date(timestamp).toISOString(), locale },
    expiresAt: undefined,
  });
}

/**
 * The mail after the first sign-in. Its id is derived from the user's, so a user is welcomed once.
 */
export function welcome(
  deps: AuthDeps,
  { id, email, username }: User,
  locale: string | undefined,
): void {
  if (!deps.welcomes) return;
  const messageId = `welcome-${id}`;
  sendNotice(deps, {
    messageId,
    eventType: "welcome",
    timestamp: deps.clock.now(),
    recipient: email,
    data: { username: username ?? email.slice(0, email.lastIndexOf("@")), locale },
    expiresAt: undefined,
  });
}
