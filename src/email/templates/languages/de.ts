import type { LanguageMessages } from "../../mails/mail-types.tsx";

const unrequestedCode =
  "Wenn Sie das nicht angefordert haben, hat vielleicht jemand versehentlich Ihre Adresse eingegeben; Sie können diese E-Mail ignorieren. Geben Sie den Code niemals weiter.";

export const german: LanguageMessages = {
  aMoment: "wenige Sekunden",
  colon: ":",
  sentTo: (recipient, appName) => `${appName} hat diese E-Mail an ${recipient} gesendet.`,
  unsubscribe: "Diese E-Mails abbestellen",
  mails: {
    verification_code: {
      headings: {
        sign_in: "Ihr Anmeldecode",
        change_email: "Bestätigen Sie Ihre neue Adresse",
        leave_email: "Bestätigen Sie die Änderung Ihrer Adresse",
        delete_account: "Bestätigen Sie die Löschung Ihres Kontos",
      },
      subject: (heading, appName) => `${heading} – ${appName}`,
      subjectWithCode: (code, heading, appName) => `${code}: ${heading} – ${appName}`,
      enter: "Geben Sie diesen Code dort ein, wo Sie danach gefragt wurden.",
      validity: (remaining) => `Er ist noch ${remaining} gültig und kann einmal verwendet werden.`,
      unrequested: {
        sign_in: unrequestedCode,
        change_email: unrequestedCode,
        leave_email:
          "Wenn Sie das nicht angefordert haben, geben Sie den Code weder ein noch weiter: Ohne ihn bleibt Ihre Adresse, wie sie ist. Vielleicht hat jemand Zugang zu Ihrem Konto; prüfen Sie Ihre Sitzungen.",
        delete_account:
          "Wenn Sie das nicht angefordert haben, geben Sie den Code weder ein noch weiter: Ohne ihn wird nichts gelöscht. Vielleicht hat jemand Zugang zu Ihrem Konto; prüfen Sie Ihre Sitzungen.",
      },
    },
    welcome: {
      subject: (appName) => `Willkommen bei ${appName}`,
      heading: (username) => `Willkommen, ${username}`,
      ready: (appName) => `Ihr Konto bei ${appName} ist eingerichtet.`,
      noPassword:
        "Sie müssen sich kein Passwort merken: Bei jeder Anmeldung senden wir einen Code an diese Adresse.",
      unrequested:
        "Wenn Sie sich nicht registriert haben, hat es jemand mit Ihrer Adresse getan und den Code gelesen, den wir dorthin gesendet haben: Stellen Sie sicher, dass niemand sonst Zugang zu Ihrem Postfach hat.",
    },
    password_reset: {
      subject: (appName) => `Passwort zurücksetzen – ${appName}`,
      heading: "Passwort zurücksetzen",
      choose: (appName) => `Über diesen Link können Sie ein neues Passwort für ${appName} wählen.`,
      button: "Neues Passwort wählen",
      validity: (remaining) => `Der Link ist noch ${remaining} gültig.`,
      unrequested:
        "Wenn Sie das nicht angefordert haben, können Sie diese E-Mail ignorieren: Ihr Passwort bleibt, wie es ist.",
    },
    sign_in_notice: {
      subject: (appName) => `Neue Anmeldung bei ${appName}`,
      heading: "Neue Anmeldung",
      signedIn: (appName) =>
        `Jemand hat sich in Ihrem Konto bei ${appName} angemeldet. Wenn Sie das waren, müssen Sie nichts tun.`,
      time: "Zeit:",
      device: "Gerät:",
      button: "Zum Konto",
      unrequested:
        "Wenn Sie das nicht waren, beenden Sie diese Sitzung in Ihrem Konto, und stellen Sie sicher, dass niemand sonst Zugang zu Ihrem Postfach hat.",
    },
    email_change: {
      subject: (appName) => `Ihre E-Mail-Adresse bei ${appName} wurde geändert`,
      heading: "Ihre E-Mail-Adresse wurde geändert",
      changed: (appName) =>
        `Ihr Konto bei ${appName} hat eine neue E-Mail-Adresse. An diese hier schreiben wir nicht mehr.`,
      newAddress: "Neue Adresse:",
      time: "Zeit:",
      button: "Zum Konto",
      unrequested:
        "Wenn Sie das nicht waren, hat jemand Zugang zu Ihrem Konto: Wenden Sie sich sofort an uns.",
      undoable: (until) =>
        `Wenn Sie das nicht waren, machen Sie die Änderung sofort rückgängig: Damit gilt wieder Ihre Adresse, und alle Geräte werden abgemeldet. Das ist bis zum ${until} möglich.`,
      undo: "Änderung rückgängig machen",
    },
    account_deleted: {
      subject: (appName) => `Ihr Konto bei ${appName} wurde gelöscht`,
      heading: "Ihr Konto wurde gelöscht",
      deleted: (appName) =>
        `Ihr Konto bei ${appName} und alles, was wir dazu gespeichert haben, wurde gelöscht. Bestätigt wurde das mit einem Code, den wir an diese Adresse gesendet haben.`,
      time: "Zeit:",
      unrequested:
        "Wenn Sie das nicht waren, kann jemand Ihre E-Mails lesen: Stellen Sie sicher, dass niemand sonst Zugang zu Ihrem Postfach hat.",
    },
  },
  preferences: {
    title: "E-Mail-Einstellungen",
    lead: (appName) =>
      `Wählen Sie, welche E-Mails ${appName} an die Adresse senden darf, zu der dieser Link gehört.`,
    types: {
      welcome: { title: "Willkommen", text: "Eine E-Mail, wenn Ihr Konto angelegt wird." },
    },
    nameOf: (title) => `„${title}“`,
    all: "alle freiwilligen E-Mails",
    unsubscribe: (name) => `${name} abbestellen`,
    choose: "Freiwillige E-Mails",
    save: "Speichern",
    always: "Anmeldecodes und E-Mails zur Sicherheit Ihres Kontos werden immer gesendet.",
    unsubscribed: (name) => `Sie haben ${name} abbestellt. Die Änderung gilt sofort.`,
    saved: "Gespeichert. Die Änderung gilt sofort.",
    old: {
      title: "Dieser Link ist abgelaufen",
      text: "Links in E-Mails gelten ein Jahr. Verwenden Sie den Link aus einer neueren E-Mail.",
    },
    mandatory: {
      title: "Diese E-Mails werden immer gesendet",
      text: "Sie betreffen die Sicherheit Ihres Kontos. Es wurde nichts geändert.",
    },
    forged: {
      title: "Dieser Link ist unvollständig",
      text: "Es wurde nichts geändert. Öffnen Sie den Link in der E-Mail noch einmal; wenn Sie ihn kopiert haben, achten Sie darauf, dass er vollständig ist.",
    },
    unclear: {
      title: "Es wurde nichts geändert",
      text: "Die Anfrage kam nicht vom Formular dieser Seite. Gehen Sie zurück, und versuchen Sie es noch einmal.",
    },
    unavailable: {
      title: "Gleich wieder da",
      text: "Ihre Einstellungen sind gerade nicht erreichbar, und es wurde nichts geändert. Versuchen Sie es in ein paar Sekunden noch einmal.",
    },
  },
};
