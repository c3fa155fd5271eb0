import type { OptionalType } from "../mail-kind.ts";

/** Everything a person reads on the page of the preferences, in one place. */
export const words = {
  title: "E-mails you get",
  lead: (appName: string) =>
    `Choose which mails ${appName} may send to the address that this link was sent to.`,
  types: {
    welcome: { title: "Welcome", text: "One mail when your account is made." },
    sign_in_notice: { title: "Sign-ins", text: "A mail when somebody signs in to your account." },
  } satisfies Record<OptionalType, { title: string; text: string }>,
  all: "all of these mails",
  stop: (title: string) => `Unsubscribe from “${title}”`,
  choose: "Mails that you can decline",
  save: "Save",
  always: "Codes to sign in with, and mails that you ask for, are always sent.",
  unsubscribed: (title: string) => `You are unsubscribed from “${title}”. It takes effect at once.`,
  saved: "Saved. It takes effect at once.",
  old: {
    title: "This link is too old",
    text: "Links in mails are good for a year. Use the link in a newer mail.",
  },
  forged: {
    title: "This link is not complete",
    text: "Nothing was changed. Open the link in the mail again; if you copied it, copy all of it.",
  },
  unclear: {
    title: "Nothing was changed",
    text: "What was sent is not what this page sends. Go back, and try it again.",
  },
  away: {
    title: "Back in a moment",
    text: "What you chose could not be saved or read right now, and nothing was changed. Try again in a few seconds.",
  },
} as const;
