import type { CodePurpose } from "../../codes/code-store.ts";

const wrongCode = () => "That code is wrong or has expired. Use the one in our latest e-mail.";

/**
 * All messages of the sign-in pages. `left` is a duration, "5 minutes"; `later` the time after it,
 * "in 5 minutes". Every other language has the type of this one.
 */
export const english = {
  signIn: {
    title: "Sign in",
    lead: "Enter your e-mail address, and we will send you a code. You need no password.",
    address: "E-mail address",
    button: "Send me a code",
    newHere: "New here? Your account is created when you first sign in.",
  },
  code: {
    sent: (address: string, left: string) =>
      `We sent a six-digit code to ${address}. Codes expire after ${left}.`,
    label: "Six-digit code",
    sentToBoth: (fresh: string, current: string, left: string) =>
      `Your sign-in was a while ago, so we sent a code to each of your addresses, the new ${fresh} and the current ${current}. Codes expire after ${left}.`,
    labelCurrent: "Code from the current address",
    labelNew: "Code from the new address",
    pasteHint: "A pasted code is submitted right away.",
    noMail: "No e-mail yet? It can take a minute. Check your spam folder too.",
    again: "Send a new code",
    wait: "You can request a new code in {left}.",
    development: "Development server:",
    inbox: "open the inbox",
    lockedTitle: "Too many wrong codes",
    locked: (left: string) =>
      `To protect the account, no code works for this address for the next ${left}. After that, request a new one.`,
    lockedElse: "Wasn't it you? Nobody got in, and the lock ends by itself.",
    unlocks: "You can continue in {left}.",
    checkAgain: "Check again",
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
  } satisfies Record<
    Exclude<CodePurpose, "leave_email">,
    { title: string; button: string; back: string }
  >,
  account: {
    title: "Your account",
    signOut: "Sign out",
    username: {
      title: "Username",
      lead: "How others see you. Each username is unique.",
      label: "Your username",
      hint: "Up to 32 characters: letters from a to z, digits, dots, dashes and underscores.",
      button: "Save",
    },
    email: {
      title: "E-mail address",
      lead: "Where we send your codes. To change it, you confirm the new address with a code.",
      current: (address: string) => `You sign in with ${address}.`,
      label: "New e-mail address",
      button: "Send a code to it",
    },
    mails: {
      title: "E-mails",
      lead: "You always get your codes. The other e-mails are up to you.",
      button: "Choose which ones",
    },
    sessions: {
      title: "Where you are signed in",
      lead: "If you do not recognize one of these, sign it out. It takes effect at once.",
      current: "This device",
      times: (used: string, begun: string) => `Last used ${used} · signed in ${begun}`,
      revoke: "Sign out",
      revokeSpoken: (device: string, used: string) => `Sign out ${device}, last used ${used}`,
      others: "Sign out everywhere else",
      device: (browser: string, system: string) => `${browser} on ${system}`,
      someBrowser: "A browser",
      unknownDevice: "Unknown device",
      now: "just now",
    },
    deletion: {
      title: "Delete your account",
      lead: "It is deleted at once and cannot be restored.",
      button: "Delete my account …",
    },
  },
  deletion: {
    title: "Delete your account?",
    lead: "This ends every session and deletes your username, your address and everything we keep with them. It cannot be undone.",
    proof: (address: string) => `To make sure that it is you, we will send a code to ${address}.`,
    button: "Send me the code",
    back: "Keep my account",
  },
  undo: {
    title: "Undo the change?",
    lead: "The address of the account becomes this one again:",
    ends: "Every device that is signed in to the account is signed out. You can then sign in with that address.",
    button: "Undo the change",
  },
  undoInvalid: {
    title: "This link has expired",
    text: "It is incomplete, older than 72 hours, or was used before. If you cannot sign in to your account, contact us.",
    button: "Go to the start page",
  },
  undoTaken: {
    title: "The address has another account",
    text: "If you signed in with it after the change, you created a second account: sign in to that one, delete it, and open this link again. It stays good for 72 hours from the change.",
    button: "Sign in",
  },
  done: {
    signed_out: "You are signed out.",
    account_deleted: "Your account is deleted. We are sorry to see you go.",
    code_sent: "A new code is on its way. Earlier codes still work.",
    code_sent_already:
      "The code is already on its way. It can take a minute; check your spam folder too.",
    username_saved: "Saved.",
    email_changed:
      "Your address is changed. Sign in with the new one from now on; every other device is signed out.",
    email_restored:
      "The address of your account is restored, and every device is signed out. Sign in with that address.",
    session_revoked: "That device is signed out.",
    others_revoked: "Every other device is signed out.",
  },
  /** Errors by the code of the API's problem, or by the field. */
  failed: {
    email_invalid: () => "That is not an e-mail address. It should look like ana@example.com.",
    email_unseen: () =>
      "That address has a space or an invisible character in it. Type it instead of pasting it.",
    address_unsupported: () =>
      "We cannot send to that address: our mail server accepts only ASCII letters before the @. Use another address.",
    email_unchanged: () => "That is already your address.",
    email_taken: () => "That address belongs to another account.",
    code_shape: () => "The code has six digits. You will find it in our latest e-mail.",
    code_invalid: wrongCode,
    confirmation_invalid: wrongCode,
    current_code_invalid: wrongCode,
    current_code_required: () =>
      "Your sign-in was a while ago, so the change also takes a code from your current address. Send new codes to both.",
    email_changed_recently: (later: string) =>
      `The address of this account was changed a short time ago, and its last owner can still undo that. You can delete the account ${later}.`,
    too_many_codes: (later: string) =>
      `We have sent too many codes to this address. Request one ${later}; the codes you have work until they expire.`,
    too_many_attempts: (later: string) => `Too many wrong codes. Try again ${later}.`,
    too_many_requests: (later: string) =>
      `Too many requests from your network. Try again ${later}.`,
    username_invalid: () =>
      "Use 1 to 32 letters from a to z, digits, dots, dashes and underscores. Begin and end with a letter or a digit.",
    username_taken: () => "That username is taken. Choose another one.",
    mail_unavailable: (later: string) =>
      `We cannot send e-mails right now, so there is no code yet. Try again ${later}.`,
    unavailable: (later: string) => `Something on our side is unavailable. Try again ${later}.`,
    account_switched: () =>
      "Nothing was changed: that page was open for another account. You are now signed in to this one.",
    unauthenticated: () => "You are no longer signed in. Sign in to continue.",
    unexpected: () => "Something went wrong on our side. Try again in a moment.",
  },
  lost: {
    title: "Start again",
    text: "This step has expired, or your browser blocks cookies. Nothing is lost: start again, and allow cookies for this site if you see this page again.",
    button: "Start again",
  },
  elsewhere: {
    title: "Form not accepted",
    text: "This form was not sent from a page of this site, so nothing was done. Open the page and try again there.",
    button: "Open the page",
  },
  /** For a page that was opened with http:// where cookies need https. */
  insecure: {
    title: "Open this page with https",
    text: "This page was opened with http://. Browsers keep no sign-in over such a connection, so nothing was done. Open the page with https:// instead.",
    button: "Open it with https",
  },
  unavailable: {
    title: "Back in a moment",
    text: "Something that this page needs is unavailable. Nothing is lost. Try again in a few seconds.",
    button: "Try again",
  },
  /** For a page that does not exist. */
  nowhere: {
    title: "Page not found",
    text: "The address may be mistyped, or the page was removed.",
    button: "Go to the start page",
  },
  refused: {
    title: "Request not accepted",
    text: "What your browser sent was too long or incomplete, so nothing was done. Start again.",
    button: "Start again",
  },
  fault: {
    title: "Something went wrong",
    text: "It is our fault, not yours. Try again in a moment; if it happens again, send us this number:",
    button: "Try again",
  },
  unsent:
    "That did not get through: the server cannot be reached. Check your connection and try again.",
};

/** All messages of the pages; a language that lacks one does not compile. */
export type PageMessages = typeof english;
export type DoneName = keyof PageMessages["done"];
export type FailedName = keyof PageMessages["failed"];
