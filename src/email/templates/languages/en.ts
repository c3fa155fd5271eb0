import type { LanguageMessages } from "../texts.ts";

const byMistake =
  "You didn't ask for this? Then somebody may have typed your address by mistake: you can ignore this mail. Never give the code to anyone.";

export const english: LanguageMessages = {
  locale: "en-GB",
  direction: "ltr",
  name: "English",
  aMoment: "a moment",
  sentTo: (recipient, appName) => `This mail was sent to ${recipient} by ${appName}.`,
  unsubscribe: "Get no more mails of this kind",
  mails: {
    verification_code: {
      headings: {
        sign_in: "Your sign-in code",
        change_email: "Confirm your new address",
        delete_account: "Confirm the deletion of your account",
      },
      subject: (heading, appName) => `${heading} for ${appName}`,
      subjectWithCode: (code, heading, appName) => `${code}: ${heading} for ${appName}`,
      enter: "Enter this code where you were asked for it.",
      validity: (remaining) => `It is valid for ${remaining} and can be used once.`,
      unrequested: {
        sign_in: byMistake,
        change_email: byMistake,
        delete_account:
          "You didn't ask for this? Then do not enter or pass on the code: without it nothing is deleted. Somebody may be in your account, so look through your sessions.",
      },
    },
    welcome: {
      subject: (appName) => `Welcome to ${appName}`,
      heading: (username) => `Welcome, ${username}`,
      ready: (appName) => `Your ${appName} account is ready.`,
      noPassword:
        "There is no password to remember: whenever you sign in, we send a code to this address.",
      unrequested:
        "You didn't ask for this? Then somebody signed up with your address and read the code we sent to it: make sure that nobody else can read your mail.",
    },
    password_reset: {
      subject: (appName) => `Reset your password for ${appName}`,
      heading: "Reset your password",
      choose: (appName) => `Use this link to choose a new password for ${appName}.`,
      button: "Choose a new password",
      validity: (remaining) => `The link is valid for ${remaining}.`,
      unrequested: "You didn't ask for this? Then ignore this mail: your password stays as it is.",
    },
    sign_in_notice: {
      subject: (appName) => `New sign-in to ${appName}`,
      heading: "New sign-in",
      somebody: (appName) =>
        `Somebody signed in to your ${appName} account. If it was you, there is nothing to do.`,
      time: "Time",
      device: "Device",
      button: "Look at your account",
      unrequested:
        "It wasn't you? Then end that session in your account, and make sure that nobody else can read your mail.",
    },
    email_change: {
      subject: (appName) => `Your address for ${appName} was changed`,
      heading: "Your address was changed",
      changed: (appName) =>
        `Your ${appName} account has a new address. Mails no longer come to this one.`,
      newAddress: "New address",
      time: "Time",
      button: "Look at your account",
      unrequested: "It wasn't you? Then somebody else was in your account: write to us at once.",
    },
  },
};
