import type { PageMessages } from "./en.ts";

const wrongCode = () =>
  "El código no es correcto o ha caducado. Use el de nuestro correo más reciente.";

export const spanish: PageMessages = {
  signIn: {
    title: "Iniciar sesión",
    lead: "Escriba su dirección de correo y le enviaremos un código. No necesita contraseña.",
    address: "Dirección de correo",
    button: "Enviar código",
    newHere: "¿Es su primera vez? Su cuenta se crea al iniciar sesión.",
  },
  code: {
    sent: (address, left) =>
      `Hemos enviado un código de seis cifras a ${address}. Los códigos caducan en ${left}.`,
    label: "Código de seis cifras",
    sentToBoth: (fresh, current, left) =>
      `Inició sesión hace un rato, así que hemos enviado un código a cada una de sus direcciones: la nueva, ${fresh}, y la actual, ${current}. Los códigos caducan en ${left}.`,
    labelCurrent: "Código de la dirección actual",
    labelNew: "Código de la dirección nueva",
    pasteHint: "Al pegar un código, se envía de inmediato.",
    noMail: "¿No ha llegado el correo? Puede tardar un minuto. Mire también en la carpeta de spam.",
    again: "Enviar otro código",
    wait: "Podrá pedir otro código en {left}.",
    development: "Servidor de desarrollo:",
    inbox: "abrir la bandeja de entrada",
    lockedTitle: "Demasiados códigos incorrectos",
    locked: (left) =>
      `Para proteger la cuenta, no se aceptará ningún código para esta dirección durante ${left}. Después, pida uno nuevo.`,
    lockedElse: "¿No ha sido usted? Nadie ha conseguido entrar, y el bloqueo termina por sí solo.",
    unlocks: "Podrá continuar en {left}.",
    checkAgain: "Comprobar de nuevo",
  },
  purposes: {
    sign_in: {
      title: "Revise su correo",
      button: "Iniciar sesión",
      back: "Usar otra dirección",
    },
    change_email: {
      title: "Confirme su nueva dirección",
      button: "Cambiar la dirección",
      back: "Conservar la dirección actual",
    },
    delete_account: {
      title: "Confirme la eliminación",
      button: "Eliminar mi cuenta para siempre",
      back: "Conservar mi cuenta",
    },
  },
  account: {
    title: "Su cuenta",
    signOut: "Cerrar sesión",
    username: {
      title: "Nombre de usuario",
      lead: "Así le ven los demás. Cada nombre de usuario es único.",
      label: "Su nombre de usuario",
      hint: "Hasta 32 caracteres: letras de la a a la z, cifras, puntos, guiones y guiones bajos.",
      button: "Guardar",
    },
    email: {
      title: "Dirección de correo",
      lead: "Aquí le enviamos los códigos. Para cambiarla, confirme la nueva con un código.",
      current: (address) => `Inicia sesión con ${address}.`,
      label: "Nueva dirección de correo",
      button: "Enviarle un código",
    },
    mails: {
      title: "Correos",
      lead: "Los códigos le llegan siempre. Los demás correos los decide usted.",
      button: "Elegir correos",
    },
    sessions: {
      title: "Dónde ha iniciado sesión",
      lead: "Si no reconoce alguno de estos dispositivos, cierre su sesión. Surte efecto de inmediato.",
      current: "Este dispositivo",
      times: (used, begun) => `Último uso: ${used} · inicio de sesión: ${begun}`,
      revoke: "Cerrar sesión",
      revokeSpoken: (device, used) => `Cerrar sesión en ${device}, último uso: ${used}`,
      others: "Cerrar sesión en los demás dispositivos",
      device: (browser, system) => `${browser} en ${system}`,
      someBrowser: "Un navegador",
      unknownDevice: "Dispositivo desconocido",
      now: "ahora mismo",
    },
    deletion: {
      title: "Eliminar su cuenta",
      lead: "Se elimina de inmediato y no se puede recuperar.",
      button: "Eliminar mi cuenta…",
    },
  },
  deletion: {
    title: "¿Eliminar su cuenta?",
    lead: "Se cerrarán todas las sesiones y se eliminarán su nombre de usuario, su dirección y todo lo que guardamos con ellos. No se puede deshacer.",
    proof: (address) => `Para asegurarnos de que es usted, enviaremos un código a ${address}.`,
    button: "Enviar código",
    back: "Conservar mi cuenta",
  },
  undo: {
    title: "¿Deshacer el cambio?",
    lead: "La dirección de la cuenta volverá a ser esta:",
    ends: "Se cerrará la sesión en todos los dispositivos. Después podrá iniciar sesión con esa dirección.",
    button: "Deshacer el cambio",
  },
  undoInvalid: {
    title: "Este enlace ya no es válido",
    text: "Está incompleto, tiene más de 72 horas o ya se ha usado. Si no puede iniciar sesión en su cuenta, póngase en contacto con nosotros.",
    button: "Ir a la página de inicio",
  },
  undoTaken: {
    title: "La dirección tiene otra cuenta",
    text: "Si inició sesión con ella después del cambio, creó una segunda cuenta: inicie sesión en esa cuenta, elimínela y abra de nuevo este enlace. Es válido durante 72 horas desde el cambio.",
    button: "Iniciar sesión",
  },
  done: {
    signed_out: "Ha cerrado la sesión.",
    account_deleted: "Su cuenta se ha eliminado. Sentimos que se vaya.",
    code_sent: "Le hemos enviado otro código. Los anteriores siguen siendo válidos.",
    code_sent_already:
      "El código ya está en camino. Puede tardar un minuto; mire también en la carpeta de spam.",
    username_saved: "Guardado.",
    email_changed:
      "Su dirección ha cambiado y se ha cerrado la sesión en todos los demás dispositivos. A partir de ahora, inicie sesión con la nueva.",
    email_restored:
      "Ha recuperado la dirección de su cuenta y se ha cerrado la sesión en todos los dispositivos. Inicie sesión con esa dirección.",
    session_revoked: "Se ha cerrado la sesión en ese dispositivo.",
    others_revoked: "Se ha cerrado la sesión en todos los demás dispositivos.",
  },
  failed: {
    email_invalid: () => "Eso no es una dirección de correo. Debe ser parecida a ana@example.com.",
    email_unseen: () =>
      "Esa dirección contiene un espacio o un carácter invisible. Escríbala en lugar de pegarla.",
    address_unsupported: () =>
      "No podemos enviar correos a esa dirección: nuestro servidor solo admite caracteres ASCII antes de la @. Use otra dirección.",
    email_unchanged: () => "Esa ya es su dirección.",
    email_taken: () => "Esa dirección pertenece a otra cuenta.",
    code_shape: () => "El código tiene seis cifras. Lo encontrará en nuestro correo más reciente.",
    code_invalid: wrongCode,
    confirmation_invalid: wrongCode,
    current_code_invalid: wrongCode,
    current_code_required: () =>
      "Inició sesión hace un rato, así que el cambio necesita también un código de su dirección actual. Envíe códigos nuevos a ambas.",
    email_changed_recently: (later) =>
      `La dirección de esta cuenta cambió hace poco y su anterior titular todavía puede deshacer el cambio. Podrá eliminar la cuenta ${later}.`,
    too_many_codes: (later) =>
      `Hemos enviado demasiados códigos a esta dirección. Pida otro ${later}; los que ya tiene sirven hasta que caduquen.`,
    too_many_attempts: (later) => `Demasiados códigos incorrectos. Inténtelo de nuevo ${later}.`,
    too_many_requests: (later) =>
      `Demasiadas solicitudes desde su red. Inténtelo de nuevo ${later}.`,
    username_invalid: () =>
      "Use de 1 a 32 letras de la a a la z, cifras, puntos, guiones y guiones bajos. Empiece y termine con una letra o una cifra.",
    username_taken: () => "Ese nombre de usuario ya está en uso. Elija otro.",
    mail_unavailable: (later) =>
      `Ahora mismo no podemos enviar correos, así que todavía no hay código. Inténtelo de nuevo ${later}.`,
    unavailable: (later) => `Un servicio nuestro no está disponible. Inténtelo de nuevo ${later}.`,
    account_switched: () =>
      "No se ha cambiado nada: esa página estaba abierta para otra cuenta. Ahora tiene la sesión iniciada en esta.",
    unauthenticated: () => "Su sesión ha terminado. Inicie sesión para continuar.",
    unexpected: () => "Algo ha fallado por nuestra parte. Inténtelo de nuevo dentro de un momento.",
  },
  lost: {
    title: "Empiece de nuevo",
    text: "Este paso ha caducado o su navegador bloquea las cookies. No se ha perdido nada: empiece de nuevo y, si vuelve a ver esta página, permita las cookies de este sitio.",
    button: "Empezar de nuevo",
  },
  elsewhere: {
    title: "Formulario no aceptado",
    text: "Este formulario no se envió desde una página de este sitio, así que no se ha hecho nada. Abra la página e inténtelo allí de nuevo.",
    button: "Abrir la página",
  },
  insecure: {
    title: "Abra esta página con https",
    text: "Esta página se abrió con http://. Los navegadores no mantienen la sesión con una conexión así, de modo que no se ha hecho nada. Abra la página con https://.",
    button: "Abrir con https",
  },
  unavailable: {
    title: "Volvemos enseguida",
    text: "Algo que esta página necesita no está disponible. No se ha perdido nada. Inténtelo de nuevo dentro de unos segundos.",
    button: "Intentar de nuevo",
  },
  nowhere: {
    title: "Página no encontrada",
    text: "Puede que la dirección esté mal escrita o que la página se haya eliminado.",
    button: "Ir a la página de inicio",
  },
  refused: {
    title: "Solicitud no aceptada",
    text: "Lo que envió su navegador era demasiado largo o estaba incompleto, así que no se ha hecho nada. Empiece de nuevo.",
    button: "Empezar de nuevo",
  },
  fault: {
    title: "Algo ha fallado",
    text: "El fallo es nuestro, no suyo. Inténtelo de nuevo dentro de un momento; si vuelve a ocurrir, envíenos este número:",
    button: "Intentar de nuevo",
  },
  unsent:
    "No se ha podido enviar: no hay conexión con el servidor. Compruebe su conexión e inténtelo de nuevo.",
};
