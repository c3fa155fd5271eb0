import type { LanguageMessages } from "../../mails/mail-types.tsx";

const unrequestedCode =
  "Si vous n’êtes pas à l’origine de cette demande, quelqu’un a peut-être saisi votre adresse par erreur\u00a0; vous pouvez ignorer cet e-mail. Ne communiquez ce code à personne.";

export const french: LanguageMessages = {
  aMoment: "quelques secondes",
  colon: "\u00a0:",
  sentTo: (recipient, appName) => `${appName} a envoyé cet e-mail à ${recipient}.`,
  unsubscribe: "Ne plus recevoir ces e-mails",
  mails: {
    verification_code: {
      headings: {
        sign_in: "Votre code de connexion",
        change_email: "Confirmez votre nouvelle adresse",
        leave_email: "Confirmez le changement de votre adresse",
        delete_account: "Confirmez la suppression de votre compte",
      },
      subject: (heading, appName) => `${heading} – ${appName}`,
      subjectWithCode: (code, heading, appName) => `${code}\u00a0: ${heading} – ${appName}`,
      enter: "Saisissez ce code à l’endroit où il vous a été demandé.",
      validity: (remaining) =>
        `Il est encore valable ${remaining} et ne peut être utilisé qu’une fois.`,
      unrequested: {
        sign_in: unrequestedCode,
        change_email: unrequestedCode,
        leave_email:
          "Si vous n’êtes pas à l’origine de cette demande, ne saisissez pas ce code et ne le communiquez à personne\u00a0: sans lui, votre adresse reste la même. Quelqu’un a peut-être accès à votre compte\u00a0; vérifiez vos sessions.",
        delete_account:
          "Si vous n’êtes pas à l’origine de cette demande, ne saisissez pas ce code et ne le communiquez à personne\u00a0: sans lui, rien n’est supprimé. Quelqu’un a peut-être accès à votre compte\u00a0; vérifiez vos sessions.",
      },
    },
    welcome: {
      subject: (appName) => `Bienvenue sur ${appName}`,
      heading: (username) => `Bienvenue, ${username}`,
      ready: (appName) => `Votre compte ${appName} est prêt.`,
      noPassword:
        "Aucun mot de passe à retenir\u00a0: à chaque connexion, nous envoyons un code à cette adresse.",
      unrequested:
        "Si cette inscription ne vient pas de vous, quelqu’un l’a faite avec votre adresse et a lu le code que nous y avons envoyé\u00a0: assurez-vous que personne d’autre n’a accès à votre messagerie.",
    },
    password_reset: {
      subject: (appName) => `Réinitialisez votre mot de passe ${appName}`,
      heading: "Réinitialisez votre mot de passe",
      choose: (appName) =>
        `Ce lien vous permet de choisir un nouveau mot de passe pour ${appName}.`,
      button: "Choisir un nouveau mot de passe",
      validity: (remaining) => `Le lien est encore valable ${remaining}.`,
      unrequested:
        "Si vous n’êtes pas à l’origine de cette demande, vous pouvez ignorer cet e-mail\u00a0: votre mot de passe reste le même.",
    },
    sign_in_notice: {
      subject: (appName) => `Nouvelle connexion à ${appName}`,
      heading: "Nouvelle connexion",
      signedIn: (appName) =>
        `Quelqu’un s’est connecté à votre compte ${appName}. Si c’était vous, vous n’avez rien à faire.`,
      time: "Date\u00a0:",
      device: "Appareil\u00a0:",
      button: "Accéder à votre compte",
      unrequested:
        "Si ce n’était pas vous, fermez cette session dans votre compte et assurez-vous que personne d’autre n’a accès à votre messagerie.",
    },
    email_change: {
      subject: (appName) => `Votre adresse e-mail ${appName} a été modifiée`,
      heading: "Votre adresse e-mail a été modifiée",
      changed: (appName) =>
        `Votre compte ${appName} a une nouvelle adresse e-mail. Nous n’écrirons plus à celle-ci.`,
      newAddress: "Nouvelle adresse\u00a0:",
      time: "Date\u00a0:",
      button: "Accéder à votre compte",
      unrequested:
        "Si ce n’était pas vous, quelqu’un a accès à votre compte\u00a0: contactez-nous immédiatement.",
      undoable: (until) =>
        `Si ce n’était pas vous, annulez immédiatement ce changement\u00a0: votre adresse sera rétablie et tous les appareils seront déconnectés. Vous pouvez le faire jusqu’au ${until}.`,
      undo: "Annuler le changement",
    },
    account_deleted: {
      subject: (appName) => `Votre compte ${appName} a été supprimé`,
      heading: "Votre compte a été supprimé",
      deleted: (appName) =>
        `Votre compte ${appName} et toutes les données associées ont été supprimés, après confirmation par un code envoyé à cette adresse.`,
      time: "Date\u00a0:",
      unrequested:
        "Si ce n’était pas vous, quelqu’un peut lire vos e-mails\u00a0: assurez-vous que personne d’autre n’a accès à votre messagerie.",
    },
  },
  preferences: {
    title: "Préférences d’e-mail",
    lead: (appName) =>
      `Choisissez les e-mails que ${appName} peut envoyer à l’adresse à laquelle ce lien correspond.`,
    types: {
      welcome: { title: "Bienvenue", text: "Un e-mail à la création de votre compte." },
    },
    nameOf: (title) => `«\u00a0${title}\u00a0»`,
    all: "tous les e-mails facultatifs",
    unsubscribe: (name) => `Ne plus recevoir ${name}`,
    choose: "E-mails facultatifs",
    save: "Enregistrer",
    always:
      "Les codes de connexion et les e-mails relatifs à la sécurité de votre compte sont toujours envoyés.",
    unsubscribed: (name) => `Vous ne recevrez plus ${name}. L’effet est immédiat.`,
    saved: "Enregistré. L’effet est immédiat.",
    old: {
      title: "Ce lien a expiré",
      text: "Les liens contenus dans les e-mails sont valables un an. Utilisez celui d’un e-mail plus récent.",
    },
    mandatory: {
      title: "Ces e-mails sont toujours envoyés",
      text: "Ils concernent la sécurité de votre compte. Rien n’a été modifié.",
    },
    forged: {
      title: "Ce lien est incomplet",
      text: "Rien n’a été modifié. Ouvrez à nouveau le lien dans l’e-mail\u00a0; si vous l’avez copié, vérifiez qu’il est entier.",
    },
    unclear: {
      title: "Rien n’a été modifié",
      text: "La demande ne provient pas du formulaire de cette page. Revenez en arrière et réessayez.",
    },
    unavailable: {
      title: "De retour dans un instant",
      text: "Vos préférences sont momentanément indisponibles et rien n’a été modifié. Réessayez dans quelques secondes.",
    },
  },
};
