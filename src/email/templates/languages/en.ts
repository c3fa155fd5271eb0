import type { LanguageMessages } from "../../mails/mail-types.tsx";

const unrequestedCode =
  "If you didn't request this, someone may have entered your address by mistake, and you can ignore this e-mail. Never share the code with anyone.";

export const english: LanguageMessages = {
  aMoment: "a few seconds",
  colon: ":",
  sentTo: (recipient, appName) => `${appName} sent this e-mail to ${recipient}.`,
  unsubscribe: "Unsubscribe from these e-mails",
  mails: {
    verification_code: {
      headings: {
        sign_in: "Your sign-in code",
        change_email: "Confirm your new address",
        leave_email: "Confirm the change of your address",
        delete_account: "Confirm the deletion of your account",
      },
      subject: (heading, appName) => `${heading} for ${appName}`,
      subjectWithCode: (code, heading, appName) => `${code}: ${heading} for ${appName}`,
      enter: "Enter this code where you were asked for it.",
      validity: (remaining) => `It is valid for ${remaining} and can be used once.`,
      unrequested: {
        sign_in: unrequestedCode,
        change_email: unrequestedCode,
        leave_email:
          "If you didn't request this, do not enter the code or share it: without it your address stays as it is. Someone may have access to your account, so check your sessions.",
        delete_account:
          "If you didn't request this, do not enter the code or share it: without it nothing is deleted. Someone may have access to your account, so check your sessions.",
      },
    },
    welcome: {
      subject: (appName) => `Welcome to ${appName}`,
      heading: (username) => `Welcome, ${username}`,
      ready: (appName) => `Your ${appName} account is ready.`,
      noPassword:
        "There is no password to remember: each time you sign in, we send a code to this address.",
      unrequested:
        "If you didn't sign up, someone did with your address, and has read the code that we sent to it: make sure that nobody else has access to your mailbox.",
    },
    password_reset: {
      subject: (appName) => `Reset your ${appName} password`,
      heading: "Reset your password",
      choose: (appName) => `Use this link to choose a new password for ${appName}.`,
      button: "Choose a new password",
      validity: (remaining) => `The link is valid for ${remaining}.`,
      unrequested:
        "If you didn't request this, you can ignore this e-mail: your password stays the same.",
    },
    sign_in_notice: {
      subject: (appName) => `New sign-in to ${appName}`,
      heading: "New sign-in",
      signedIn: (appName) =>
        `Someone signed in to your ${appName} account. If it was you, there is nothing to do.`,
      time: "Time:",
      device: "Device:",
      button: "Go to your account",
      unrequested:
        "If it wasn't you, end that session in your account, and make sure that nobody else has access to your mailbox.",
    },
    email_change: {
      subject: (appName) => `Your ${appName} e-mail address was changed`,
      heading: "Your e-mail address was changed",
      changed: (appName) =>
        `Your ${appName} account has a new e-mail address. We will no longer write to this one.`,
      newAddress: "New address:",
      time: "Time:",
      button: "Go to your account",
      unrequested: "If it wasn't you, someone has access to your account: contact us at once.",
      undoable: (until) =>
        `If it wasn't you, undo the change at once: this restores your address and signs out every device. You can do so until ${until}.`,
      undo: "Undo the change",
    },
    account_deleted: {
      subject: (appName) => `Your ${appName} account was deleted`,
      heading: "Your account was deleted",
      deleted: (appName) =>
        `Your ${appName} account and everything we kept with it were deleted, as confirmed with a code that we sent to this address.`,
      time: "Time:",
      unrequested:
        "If it wasn't you, someone can read your mail: make sure that nobody else has access to your mailbox.",
    },
  },
  preferences: {
    title: "E-mail preferences",
    lead: (appName) =>
      `Choose which e-mails ${appName} may send to the address that this link belongs to.`,
    types: {
      welcome: { title: "Welcome", text: "One e-mail when your account is created." },
    },
    nameOf: (title) => `“${title}”`,
    all: "all optional e-mails",
    unsubscribe: (name) => `Unsubscribe from ${name}`,
    choose: "Optional e-mails",
    save: "Save",
    always: "Sign-in codes and e-mails about the security of your account are always sent.",
    unsubscribed: (name) => `You are unsubscribed from ${name}. The change takes effect at once.`,
    saved: "Saved. The change takes effect at once.",
    old: {
      title: "This link has expired",
      text: "Links in e-mails are valid for a year. Use the link in a more recent e-mail.",
    },
    mandatory: {
      title: "These e-mails are always sent",
      text: "They are about the security of your account. Nothing was changed.",
    },
    forged: {
      title: "This link is incomplete",
      text: "Nothing was changed. Open the link in the e-mail again; if you copied it, make sure that you copied all of it.",
    },
    unclear: {
      title: "Nothing was changed",
      text: "The request did not come from the form on this page. Go back and try again.",
    },
    unavailable: {
      title: "Back in a moment",
      text: "Your preferences are unavailable right now, and nothing was changed. Try again in a few seconds.",
    },
  },
};
