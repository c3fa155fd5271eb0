import type { CodePurpose } from "../codes/code.ts";

const wrongCode = () =>
  "That code is not right, or it has expired. Look for the newest mail from us.";

/** Everything a person reads on the pages of sign-in, in one place. `left` is a time: "5 minutes". */
export const messages = {
  signIn: {
    title: "Sign in",
    lead: "Type your e-mail address, and we send you a code to sign in with. There is no password.",
    address: "E-mail address",
    button: "Send me a code",
    newHere: "New here? Do the same: the first sign-in makes your account.",
  },
  code: {
    sent: "We sent a six-digit code to",
    validity: (left: string) => `A code is good for ${left}.`,
    label: "Six-digit code",
    pasteHint: "A code that you paste is sent at once.",
    noMail: "No mail yet? It can take a minute. Look into the spam folder too.",
    again: "Send a new code",
    wait: "A new code can be sent in {left}.",
    development: "Development server:",
    inbox: "open the inbox",
    lockedTitle: "Too many wrong codes",
    locked: (left: string) =>
      `To keep the account safe, no code works for this address for the next ${left}. After that, ask for a new one.`,
    lockedElse: "Was it not you? Nobody got in, and the lock ends by itself.",
    unlocks: "You can go on in {left}.",
    checkAgain: "Look again",
  },
  purposes: {
    sign_in: { title: "Check your mail", button: "Sign in", back: "Use another address" },
    change_email: {
      title: "Confirm your new address",
      button: "Change the address",
      back: "Keep the old address",
    },
    delete_account: {
      title: "Confirm the deletion",
      button: "Delete my account for good",
      back: "Keep my account",
    },
  } satisfies Record<CodePurpose, { title: string; button: string; back: string }>,
  account: {
    title: "Your account",
    signOut: "Sign out",
    username: {
      title: "Username",
      lead: "How others see you. Nobody else can have the same.",
      label: "Your username",
      hint: "Up to 32 letters from a to z, digits, dots, dashes and underscores.",
      button: "Save",
    },
    email: {
      title: "E-mail address",
      lead: "Where your codes go. To change it, we send a code to the new address.",
      current: "You sign in with",
      label: "New e-mail address",
      button: "Send a code to it",
    },
    mails: {
      title: "E-mails",
      lead: "Codes always come. The other mails are up to you.",
      button: "Choose which ones",
    },
    sessions: {
      title: "Where you are signed in",
      lead: "You do not know one of these? Sign it out: it takes effect at once.",
      current: "This device",
      times: (used: string, begun: string) => `Last used ${used} · signed in ${begun}`,
      revoke: "Sign out",
      revokeSpoken: (device: string, used: string) => `Sign out ${device}, last used ${used}`,
      others: "Sign out everywhere else",
    },
    deletion: {
      title: "Delete your account",
      lead: "It is gone at once, and cannot be brought back.",
      button: "Delete my account …",
    },
  },
  deletion: {
    title: "Delete your account?",
    lead: "This ends every session and deletes your username, your address and all that we keep with them. It cannot be undone.",
    proof: "So that nobody else can do it, we send a code to",
    button: "Send me the code",
    back: "Keep my account",
  },
  done: {
    signed_out: "You are signed out.",
    account_deleted: "Your account is deleted. We are sorry to see you go.",
    code_sent: "A new code is on its way. The earlier ones are still good.",
    code_sent_already:
      "The code is already on its way: it can take a minute. Look into the spam folder too.",
    username_saved: "Saved.",
    email_changed: "Your address is changed. Sign in with the new one from now on.",
    session_revoked: "That device is signed out.",
    others_revoked: "Every other device is signed out.",
  },
  /** By the API's name of the problem, or by the field. */
  failed: {
    email_invalid: () => "That is not an e-mail address. Write it like ana@example.com.",
    address_unsupported: () =>
      "We cannot send to that address: before the @ it has letters that our mail server does not take. Use another address.",
    email_unchanged: () => "That is your address already.",
    email_taken: () => "That address belongs to another account.",
    code_shape: () => "The code has six digits. Look for it in the newest mail from us.",
    code_invalid: wrongCode,
    confirmation_invalid: wrongCode,
    too_many_codes: (left: string) =>
      `We have sent as many codes as we may. Ask again in ${left}; until they expire, the codes you have are good.`,
    too_many_attempts: (left: string) => `Too many wrong codes. Try again in ${left}.`,
    too_many_requests: (left: string) =>
      `There are too many requests from your network. Try again in ${left}.`,
    username_invalid: () =>
      "Use 1 to 32 letters from a to z, digits, dots, dashes and underscores; begin and end with a letter or a digit.",
    username_taken: () => "That username belongs to somebody else. Choose another one.",
    mail_unavailable: (left: string) =>
      `We cannot send mails right now, so there is no code yet. Try again in ${left}.`,
    unavailable: (left: string) => `Something of ours is away. Try again in ${left}.`,
    unauthenticated: () => "You are not signed in any more. Sign in to go on.",
    unexpected: () => "That did not work, and it is our fault. Try again in a moment.",
  },
  lost: {
    title: "Start again",
    text: "This step is too long ago, or your browser does not keep cookies. Nothing is lost: start again, and allow cookies for this site if it comes back.",
    button: "Start again",
  },
  elsewhere: {
    title: "Not taken",
    text: "This form was not sent by a page of this site, so nothing was done. Open the page and try it there.",
    button: "Open the page",
  },
  unavailable: {
    title: "Back in a moment",
    text: "Something that this page needs is away. Nothing of yours is lost. Try again in a few seconds.",
    button: "Try again",
  },
  /** In place of a page that there is not. */
  nowhere: {
    title: "There is no page here",
    text: "The address may be mistyped, or the page is gone.",
    button: "Go to the first page",
  },
  refused: {
    title: "Not taken",
    text: "What your browser sent was too long, or broke off on the way, so nothing was done. Start again.",
    button: "Start again",
  },
  fault: {
    title: "That did not work",
    text: "It is our fault, not yours. Try again in a moment; if it stays, tell us this number:",
    button: "Try again",
  },
  unsent:
    "That did not get through: the server cannot be reached. Check your connection, and try again.",
} as const;

export type DoneName = keyof typeof messages.done;
export type FailedName = keyof typeof messages.failed;

/** Times as a person says them, without a time zone, which the server does not know. */
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const [minuteMs, hourMs, dayMs] = [60_000, 3_600_000, 86_400_000];

/** How long ago: "just now", "5 minutes ago", "yesterday". */
export function formatAgo(agoMs: number): string {
  if (agoMs < minuteMs) return "just now";
  if (agoMs < hourMs) return relative.format(-Math.floor(agoMs / minuteMs), "minute");
  if (agoMs < dayMs) return relative.format(-Math.floor(agoMs / hourMs), "hour");
  return relative.format(-Math.floor(agoMs / dayMs), "day");
}

/** How long still, rounded up so that nobody comes too early: "42 seconds", "15 minutes". */
export function formatLeft(leftMs: number): string {
  const seconds = Math.max(1, Math.ceil(leftMs / 1000));
  if (seconds < 60) return count(seconds, "second");
  const minutes = Math.ceil(seconds / 60);
  return minutes < 120 ? count(minutes, "minute") : count(Math.ceil(minutes / 60), "hour");
}

function count(number: number, unit: string): string {
  return number === 1 ? `1 ${unit}` : `${number} ${unit}s`;
}
