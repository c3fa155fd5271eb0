import type { PageMessages } from "./en.ts";

const wrongCode = () =>
  "Ce code est incorrect ou a expiré. Utilisez celui de notre e-mail le plus récent.";

export const french: PageMessages = {
  signIn: {
    title: "Se connecter",
    lead: "Saisissez votre adresse e-mail et nous vous enverrons un code. Aucun mot de passe n’est nécessaire.",
    address: "Adresse e-mail",
    button: "Recevoir un code",
    newHere: "Première visite\u00a0? Votre compte est créé lors de votre première connexion.",
  },
  code: {
    sent: (address, left) =>
      `Nous avons envoyé un code à six chiffres à ${address}. Les codes expirent au bout de ${left}.`,
    label: "Code à six chiffres",
    sentToBoth: (fresh, current, left) =>
      `Votre connexion date un peu\u00a0: nous avons donc envoyé un code à chacune de vos adresses, la nouvelle, ${fresh}, et l’actuelle, ${current}. Les codes expirent au bout de ${left}.`,
    labelCurrent: "Code reçu à l’adresse actuelle",
    labelNew: "Code reçu à la nouvelle adresse",
    pasteHint: "Un code collé est envoyé immédiatement.",
    noMail: "Pas encore d’e-mail\u00a0? Cela peut prendre une minute. Vérifiez aussi vos spams.",
    again: "Envoyer un nouveau code",
    wait: "Vous pourrez demander un nouveau code dans {left}.",
    development: "Serveur de développement\u00a0:",
    inbox: "ouvrir la boîte de réception",
    lockedTitle: "Trop de codes incorrects",
    locked: (left) =>
      `Pour protéger le compte, aucun code ne sera accepté pour cette adresse pendant ${left}. Demandez ensuite un nouveau code.`,
    lockedElse:
      "Ce n’était pas vous\u00a0? Personne n’a pu se connecter, et le blocage prend fin tout seul.",
    unlocks: "Vous pourrez continuer dans {left}.",
    checkAgain: "Vérifier à nouveau",
  },
  purposes: {
    sign_in: {
      title: "Consultez vos e-mails",
      button: "Se connecter",
      back: "Utiliser une autre adresse",
    },
    change_email: {
      title: "Confirmez votre nouvelle adresse",
      button: "Changer l’adresse",
      back: "Garder l’adresse actuelle",
    },
    delete_account: {
      title: "Confirmez la suppression",
      button: "Supprimer définitivement mon compte",
      back: "Garder mon compte",
    },
  },
  account: {
    title: "Votre compte",
    signOut: "Se déconnecter",
    username: {
      title: "Nom d’utilisateur",
      lead: "C’est ainsi que les autres vous voient. Chaque nom d’utilisateur est unique.",
      label: "Votre nom d’utilisateur",
      hint: "Jusqu’à 32 caractères\u00a0: lettres de a à z, chiffres, points, tirets et tirets bas.",
      button: "Enregistrer",
    },
    email: {
      title: "Adresse e-mail",
      lead: "Nous y envoyons vos codes. Pour en changer, confirmez la nouvelle adresse avec un code.",
      current: (address) => `Vous vous connectez avec ${address}.`,
      label: "Nouvelle adresse e-mail",
      button: "Y envoyer un code",
    },
    mails: {
      title: "E-mails",
      lead: "Vous recevez toujours vos codes. Pour les autres e-mails, c’est vous qui décidez.",
      button: "Choisir mes e-mails",
    },
    sessions: {
      title: "Appareils connectés",
      lead: "Si vous ne reconnaissez pas l’un de ces appareils, déconnectez-le. L’effet est immédiat.",
      current: "Cet appareil",
      times: (used, begun) => `Dernière utilisation\u00a0: ${used} · connexion\u00a0: ${begun}`,
      revoke: "Déconnecter",
      revokeSpoken: (device, used) => `Déconnecter ${device}, dernière utilisation\u00a0: ${used}`,
      others: "Déconnecter tous les autres appareils",
      device: (browser, system) => `${browser} sur ${system}`,
      someBrowser: "Un navigateur",
      unknownDevice: "Appareil inconnu",
      now: "à l’instant",
    },
    deletion: {
      title: "Supprimer votre compte",
      lead: "Il est supprimé immédiatement et ne peut pas être rétabli.",
      button: "Supprimer mon compte…",
    },
  },
  deletion: {
    title: "Supprimer votre compte\u00a0?",
    lead: "Toutes vos sessions seront fermées\u00a0; votre nom d’utilisateur, votre adresse et toutes les données associées seront supprimés. Cette action est irréversible.",
    proof: (address) =>
      `Pour nous assurer qu’il s’agit bien de vous, nous enverrons un code à ${address}.`,
    button: "Recevoir le code",
    back: "Garder mon compte",
  },
  undo: {
    title: "Annuler le changement\u00a0?",
    lead: "L’adresse du compte redeviendra\u00a0:",
    ends: "Tous les appareils connectés au compte seront déconnectés. Vous pourrez ensuite vous connecter avec cette adresse.",
    button: "Annuler le changement",
  },
  undoInvalid: {
    title: "Ce lien n’est plus valable",
    text: "Il est incomplet, date de plus de 72 heures ou a déjà été utilisé. Si vous ne pouvez pas vous connecter à votre compte, contactez-nous.",
    button: "Aller à la page d’accueil",
  },
  undoTaken: {
    title: "L’adresse a un autre compte",
    text: "Si vous vous êtes connecté avec elle après le changement, vous avez créé un second compte\u00a0: connectez-vous à celui-ci, supprimez-le, puis ouvrez de nouveau ce lien. Il est valable 72 heures à compter du changement.",
    button: "Se connecter",
  },
  done: {
    signed_out: "La session est fermée.",
    account_deleted: "Votre compte est supprimé. Nous sommes désolés de vous voir partir.",
    code_sent: "Un nouveau code est en route. Les précédents restent valables.",
    code_sent_already:
      "Le code est déjà en route. Cela peut prendre une minute\u00a0; vérifiez aussi vos spams.",
    username_saved: "Enregistré.",
    email_changed:
      "Votre adresse est modifiée et tous les autres appareils sont déconnectés. Utilisez désormais la nouvelle pour vous connecter.",
    email_restored:
      "L’adresse de votre compte est rétablie et tous les appareils sont déconnectés. Connectez-vous avec cette adresse.",
    session_revoked: "Cet appareil est déconnecté.",
    others_revoked: "Tous les autres appareils sont déconnectés.",
  },
  failed: {
    email_invalid: () => "Ce n’est pas une adresse e-mail. Elle doit ressembler à ana@example.com.",
    email_unseen: () =>
      "Cette adresse contient une espace ou un caractère invisible. Saisissez-la au lieu de la coller.",
    address_unsupported: () =>
      "Nous ne pouvons pas écrire à cette adresse\u00a0: notre serveur n’accepte que des caractères ASCII avant le @. Utilisez une autre adresse.",
    email_unchanged: () => "C’est déjà votre adresse.",
    email_taken: () => "Cette adresse appartient à un autre compte.",
    code_shape: () =>
      "Le code comporte six chiffres. Vous le trouverez dans notre e-mail le plus récent.",
    code_invalid: wrongCode,
    confirmation_invalid: wrongCode,
    current_code_invalid: wrongCode,
    current_code_required: () =>
      "Votre connexion date un peu\u00a0: le changement nécessite aussi un code reçu à votre adresse actuelle. Envoyez de nouveaux codes aux deux adresses.",
    email_changed_recently: (later) =>
      `L’adresse de ce compte a été modifiée récemment et son précédent titulaire peut encore annuler ce changement. Vous pourrez supprimer le compte ${later}.`,
    too_many_codes: (later) =>
      `Nous avons envoyé trop de codes à cette adresse. Demandez-en un autre ${later}\u00a0; ceux que vous avez restent valables jusqu’à leur expiration.`,
    too_many_attempts: (later) => `Trop de codes incorrects. Réessayez ${later}.`,
    too_many_requests: (later) => `Trop de requêtes depuis votre réseau. Réessayez ${later}.`,
    username_invalid: () =>
      "Utilisez de 1 à 32 caractères\u00a0: lettres de a à z, chiffres, points, tirets et tirets bas. Commencez et terminez par une lettre ou un chiffre.",
    username_taken: () => "Ce nom d’utilisateur est déjà pris. Choisissez-en un autre.",
    mail_unavailable: (later) =>
      `Nous ne pouvons pas envoyer d’e-mails pour le moment, il n’y a donc pas encore de code. Réessayez ${later}.`,
    unavailable: (later) => `L’un de nos services est indisponible. Réessayez ${later}.`,
    account_switched: () =>
      "Rien n’a été modifié\u00a0: cette page était ouverte pour un autre compte. Vous utilisez maintenant celui-ci.",
    unauthenticated: () => "Votre session a pris fin. Connectez-vous pour continuer.",
    unexpected: () => "Un problème est survenu de notre côté. Réessayez dans un instant.",
  },
  lost: {
    title: "Recommencez",
    text: "Cette étape a expiré, ou votre navigateur bloque les cookies. Rien n’est perdu\u00a0: recommencez, et autorisez les cookies de ce site si cette page s’affiche à nouveau.",
    button: "Recommencer",
  },
  elsewhere: {
    title: "Formulaire refusé",
    text: "Ce formulaire n’a pas été envoyé depuis une page de ce site\u00a0; rien n’a donc été fait. Ouvrez la page et réessayez-y.",
    button: "Ouvrir la page",
  },
  insecure: {
    title: "Ouvrez cette page en https",
    text: "Cette page a été ouverte en http://. Les navigateurs ne conservent pas de session sur une telle connexion\u00a0; rien n’a donc été fait. Ouvrez la page en https://.",
    button: "Ouvrir en https",
  },
  unavailable: {
    title: "De retour dans un instant",
    text: "Un service nécessaire à cette page est indisponible. Rien n’est perdu. Réessayez dans quelques secondes.",
    button: "Réessayer",
  },
  nowhere: {
    title: "Page introuvable",
    text: "L’adresse est peut-être mal saisie, ou la page a été supprimée.",
    button: "Aller à la page d’accueil",
  },
  refused: {
    title: "Requête refusée",
    text: "Ce que votre navigateur a envoyé était trop long ou incomplet\u00a0; rien n’a donc été fait. Recommencez.",
    button: "Recommencer",
  },
  fault: {
    title: "Un problème est survenu",
    text: "L’erreur vient de nous, pas de vous. Réessayez dans un instant\u00a0; si cela se reproduit, envoyez-nous ce numéro\u00a0:",
    button: "Réessayer",
  },
  unsent:
    "L’envoi a échoué\u00a0: le serveur est injoignable. Vérifiez votre connexion et réessayez.",
};
