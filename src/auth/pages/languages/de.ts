import type { PageMessages } from "./en.ts";

const wrongCode = () =>
  "Der Code ist falsch oder abgelaufen. Verwenden Sie den aus unserer neuesten E-Mail.";

export const german: PageMessages = {
  signIn: {
    title: "Anmelden",
    lead: "Geben Sie Ihre E-Mail-Adresse ein, und wir senden Ihnen einen Code. Ein Passwort brauchen Sie nicht.",
    address: "E-Mail-Adresse",
    button: "Code senden",
    newHere: "Zum ersten Mal hier? Ihr Konto wird bei der ersten Anmeldung angelegt.",
  },
  code: {
    sent: (address, left) =>
      `Wir haben einen sechsstelligen Code an ${address} gesendet. Codes laufen nach ${left} ab.`,
    label: "Sechsstelliger Code",
    sentToBoth: (fresh, current, left) =>
      `Ihre Anmeldung liegt eine Weile zurück, daher haben wir an beide Adressen einen Code gesendet: an die neue, ${fresh}, und an die bisherige, ${current}. Codes laufen nach ${left} ab.`,
    labelCurrent: "Code von der bisherigen Adresse",
    labelNew: "Code von der neuen Adresse",
    pasteHint: "Ein eingefügter Code wird sofort abgeschickt.",
    noMail:
      "Noch keine E-Mail da? Das kann eine Minute dauern. Sehen Sie auch im Spam-Ordner nach.",
    again: "Neuen Code senden",
    wait: "Ein neuer Code ist in {left} möglich.",
    development: "Entwicklungsserver:",
    inbox: "Posteingang öffnen",
    lockedTitle: "Zu viele falsche Codes",
    locked: (left) =>
      `Zum Schutz des Kontos wird für diese Adresse ${left} lang kein Code angenommen. Fordern Sie danach einen neuen an.`,
    lockedElse:
      "Das waren nicht Sie? Es hat sich niemand angemeldet, und die Sperre endet von selbst.",
    unlocks: "In {left} können Sie weitermachen.",
    checkAgain: "Erneut prüfen",
  },
  purposes: {
    sign_in: {
      title: "Prüfen Sie Ihr Postfach",
      button: "Anmelden",
      back: "Andere Adresse verwenden",
    },
    change_email: {
      title: "Neue Adresse bestätigen",
      button: "Adresse ändern",
      back: "Bisherige Adresse behalten",
    },
    delete_account: {
      title: "Löschung bestätigen",
      button: "Konto endgültig löschen",
      back: "Konto behalten",
    },
  },
  account: {
    title: "Ihr Konto",
    signOut: "Abmelden",
    username: {
      title: "Benutzername",
      lead: "Unter diesem Namen sehen andere Sie. Jeder Benutzername ist einmalig.",
      label: "Ihr Benutzername",
      hint: "Bis zu 32 Zeichen: Buchstaben von a bis z, Ziffern, Punkte, Binde- und Unterstriche.",
      button: "Speichern",
    },
    email: {
      title: "E-Mail-Adresse",
      lead: "An sie senden wir Ihre Codes. Eine neue Adresse bestätigen Sie mit einem Code.",
      current: (address) => `Sie melden sich mit ${address} an.`,
      label: "Neue E-Mail-Adresse",
      button: "Code dorthin senden",
    },
    mails: {
      title: "E-Mails",
      lead: "Ihre Codes erhalten Sie immer. Über die anderen E-Mails entscheiden Sie.",
      button: "E-Mails auswählen",
    },
    sessions: {
      title: "Wo Sie angemeldet sind",
      lead: "Wenn Sie ein Gerät nicht kennen, melden Sie es ab. Das wirkt sofort.",
      current: "Dieses Gerät",
      times: (used, begun) => `Zuletzt verwendet ${used} · angemeldet ${begun}`,
      revoke: "Abmelden",
      revokeSpoken: (device, used) => `${device} abmelden, zuletzt verwendet ${used}`,
      others: "Überall sonst abmelden",
      device: (browser, system) => `${browser} auf ${system}`,
      someBrowser: "Ein Browser",
      unknownDevice: "Unbekanntes Gerät",
      now: "gerade eben",
    },
    deletion: {
      title: "Konto löschen",
      lead: "Es wird sofort gelöscht und lässt sich nicht wiederherstellen.",
      button: "Konto löschen …",
    },
  },
  deletion: {
    title: "Konto löschen?",
    lead: "Alle Sitzungen werden beendet; Ihr Benutzername, Ihre Adresse und alles, was wir dazu gespeichert haben, werden gelöscht. Das lässt sich nicht rückgängig machen.",
    proof: (address) => `Um sicherzugehen, dass Sie es sind, senden wir einen Code an ${address}.`,
    button: "Code senden",
    back: "Konto behalten",
  },
  undo: {
    title: "Änderung rückgängig machen?",
    lead: "Die Adresse des Kontos wird wieder:",
    ends: "Alle Geräte, die bei dem Konto angemeldet sind, werden abgemeldet. Danach können Sie sich mit dieser Adresse anmelden.",
    button: "Änderung rückgängig machen",
  },
  undoInvalid: {
    title: "Dieser Link ist nicht mehr gültig",
    text: "Er ist unvollständig, älter als 72 Stunden oder wurde schon verwendet. Wenn Sie sich nicht anmelden können, wenden Sie sich an uns.",
    button: "Zur Startseite",
  },
  undoTaken: {
    title: "Die Adresse gehört zu einem anderen Konto",
    text: "Wenn Sie sich nach der Änderung mit ihr angemeldet haben, ist ein zweites Konto entstanden: Melden Sie sich dort an, löschen Sie es, und öffnen Sie diesen Link noch einmal. Er gilt 72 Stunden ab der Änderung.",
    button: "Anmelden",
  },
  done: {
    signed_out: "Sie sind abgemeldet.",
    account_deleted: "Ihr Konto ist gelöscht. Schade, dass Sie gehen.",
    code_sent: "Ein neuer Code ist unterwegs. Frühere Codes gelten weiterhin.",
    code_sent_already:
      "Der Code ist bereits unterwegs. Das kann eine Minute dauern; sehen Sie auch im Spam-Ordner nach.",
    username_saved: "Gespeichert.",
    email_changed:
      "Ihre Adresse ist geändert, und alle anderen Geräte sind abgemeldet. Melden Sie sich ab jetzt mit der neuen an.",
    email_restored:
      "Die Adresse Ihres Kontos ist wiederhergestellt, und alle Geräte sind abgemeldet. Melden Sie sich mit dieser Adresse an.",
    session_revoked: "Das Gerät ist abgemeldet.",
    others_revoked: "Alle anderen Geräte sind abgemeldet.",
  },
  failed: {
    email_invalid: () => "Das ist keine E-Mail-Adresse. Sie sollte aussehen wie ana@example.com.",
    email_unseen: () =>
      "Diese Adresse enthält ein Leerzeichen oder ein unsichtbares Zeichen. Tippen Sie sie ein, statt sie einzufügen.",
    address_unsupported: () =>
      "An diese Adresse können wir nicht senden: Unser Mailserver nimmt vor dem @ nur ASCII-Zeichen an. Verwenden Sie eine andere Adresse.",
    email_unchanged: () => "Das ist bereits Ihre Adresse.",
    email_taken: () => "Diese Adresse gehört zu einem anderen Konto.",
    code_shape: () => "Der Code hat sechs Ziffern. Sie finden ihn in unserer neuesten E-Mail.",
    code_invalid: wrongCode,
    confirmation_invalid: wrongCode,
    current_code_invalid: wrongCode,
    current_code_required: () =>
      "Ihre Anmeldung liegt eine Weile zurück, daher braucht die Änderung auch einen Code von Ihrer bisherigen Adresse. Senden Sie neue Codes an beide.",
    email_changed_recently: (later) =>
      `Die Adresse dieses Kontos wurde vor Kurzem geändert, und wer sie vorher hatte, kann das noch rückgängig machen. Löschen können Sie das Konto ${later}.`,
    too_many_codes: (later) =>
      `Wir haben zu viele Codes an diese Adresse gesendet. Fordern Sie ${later} einen neuen an; vorhandene Codes gelten, bis sie ablaufen.`,
    too_many_attempts: (later) => `Zu viele falsche Codes. Versuchen Sie es ${later} noch einmal.`,
    too_many_requests: (later) =>
      `Zu viele Anfragen aus Ihrem Netz. Versuchen Sie es ${later} noch einmal.`,
    username_invalid: () =>
      "Verwenden Sie 1 bis 32 Zeichen: Buchstaben von a bis z, Ziffern, Punkte, Binde- und Unterstriche. Am Anfang und am Ende steht ein Buchstabe oder eine Ziffer.",
    username_taken: () => "Dieser Benutzername ist vergeben. Wählen Sie einen anderen.",
    mail_unavailable: (later) =>
      `Wir können gerade keine E-Mails senden, daher gibt es noch keinen Code. Versuchen Sie es ${later} noch einmal.`,
    unavailable: (later) =>
      `Auf unserer Seite ist etwas nicht erreichbar. Versuchen Sie es ${later} noch einmal.`,
    account_switched: () =>
      "Es wurde nichts geändert: Die Seite war für ein anderes Konto geöffnet. Angemeldet sind Sie jetzt bei diesem.",
    unauthenticated: () => "Sie sind nicht mehr angemeldet. Melden Sie sich an, um fortzufahren.",
    unexpected: () => "Bei uns ist etwas schiefgegangen. Versuchen Sie es gleich noch einmal.",
  },
  lost: {
    title: "Noch einmal von vorn",
    text: "Dieser Schritt ist abgelaufen, oder Ihr Browser blockiert Cookies. Es ist nichts verloren: Beginnen Sie von vorn, und erlauben Sie Cookies für diese Website, falls Sie diese Seite wieder sehen.",
    button: "Von vorn beginnen",
  },
  elsewhere: {
    title: "Formular nicht angenommen",
    text: "Dieses Formular wurde nicht von einer Seite dieser Website gesendet, daher ist nichts geschehen. Öffnen Sie die Seite, und versuchen Sie es dort noch einmal.",
    button: "Seite öffnen",
  },
  insecure: {
    title: "Öffnen Sie diese Seite mit https",
    text: "Diese Seite wurde mit http:// geöffnet. Über eine solche Verbindung behalten Browser keine Anmeldung, daher ist nichts geschehen. Öffnen Sie die Seite mit https://.",
    button: "Mit https öffnen",
  },
  unavailable: {
    title: "Gleich wieder da",
    text: "Etwas, das diese Seite braucht, ist nicht erreichbar. Es ist nichts verloren. Versuchen Sie es in ein paar Sekunden noch einmal.",
    button: "Noch einmal versuchen",
  },
  nowhere: {
    title: "Seite nicht gefunden",
    text: "Vielleicht enthält die Adresse einen Tippfehler, oder die Seite wurde entfernt.",
    button: "Zur Startseite",
  },
  refused: {
    title: "Anfrage nicht angenommen",
    text: "Was Ihr Browser gesendet hat, war zu lang oder unvollständig, daher ist nichts geschehen. Beginnen Sie von vorn.",
    button: "Von vorn beginnen",
  },
  fault: {
    title: "Etwas ist schiefgegangen",
    text: "Der Fehler liegt bei uns, nicht bei Ihnen. Versuchen Sie es gleich noch einmal; wenn es wieder passiert, schicken Sie uns diese Nummer:",
    button: "Noch einmal versuchen",
  },
  unsent:
    "Das ist nicht angekommen: Der Server ist nicht erreichbar. Prüfen Sie Ihre Verbindung, und versuchen Sie es noch einmal.",
};
