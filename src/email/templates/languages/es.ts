import type { LanguageMessages } from "../../mails/mail-types.tsx";

const unrequestedCode =
  "Si no lo ha solicitado usted, es posible que alguien haya escrito su dirección por error; puede ignorar este correo. No comparta el código con nadie.";

export const spanish: LanguageMessages = {
  aMoment: "unos segundos",
  colon: ":",
  sentTo: (recipient, appName) => `${appName} ha enviado este correo a ${recipient}.`,
  unsubscribe: "Dejar de recibir estos correos",
  mails: {
    verification_code: {
      headings: {
        sign_in: "Su código de acceso",
        change_email: "Confirme su nueva dirección",
        leave_email: "Confirme el cambio de su dirección",
        delete_account: "Confirme la eliminación de su cuenta",
      },
      subject: (heading, appName) => `${heading} en ${appName}`,
      subjectWithCode: (code, heading, appName) => `${code}: ${heading} en ${appName}`,
      enter: "Introduzca este código donde se le haya pedido.",
      validity: (remaining) => `Es válido durante ${remaining} y solo se puede usar una vez.`,
      unrequested: {
        sign_in: unrequestedCode,
        change_email: unrequestedCode,
        leave_email:
          "Si no lo ha solicitado usted, no introduzca el código ni lo comparta con nadie: sin él su dirección no cambia. Es posible que alguien tenga acceso a su cuenta; revise sus sesiones.",
        delete_account:
          "Si no lo ha solicitado usted, no introduzca el código ni lo comparta con nadie: sin él no se elimina nada. Es posible que alguien tenga acceso a su cuenta; revise sus sesiones.",
      },
    },
    welcome: {
      subject: (appName) => `Le damos la bienvenida a ${appName}`,
      heading: (username) => `Hola, ${username}`,
      ready: (appName) => `Su cuenta de ${appName} está lista.`,
      noPassword:
        "No hay contraseña que recordar: cada vez que inicie sesión, le enviaremos un código a esta dirección.",
      unrequested:
        "Si no se ha registrado usted, alguien lo ha hecho con su dirección y ha leído el código que le enviamos: compruebe que nadie más pueda leer su correo.",
    },
    password_reset: {
      subject: (appName) => `Restablezca su contraseña de ${appName}`,
      heading: "Restablezca su contraseña",
      choose: (appName) => `Use este enlace para elegir una contraseña nueva para ${appName}.`,
      button: "Elegir una contraseña nueva",
      validity: (remaining) => `El enlace es válido durante ${remaining}.`,
      unrequested:
        "Si no lo ha solicitado usted, ignore este correo: su contraseña seguirá siendo la misma.",
    },
    sign_in_notice: {
      subject: (appName) => `Nuevo inicio de sesión en ${appName}`,
      heading: "Nuevo inicio de sesión",
      signedIn: (appName) =>
        `Alguien ha iniciado sesión en su cuenta de ${appName}. Si ha sido usted, no tiene que hacer nada.`,
      time: "Fecha y hora:",
      device: "Dispositivo:",
      button: "Ir a su cuenta",
      unrequested:
        "Si no ha sido usted, cierre esa sesión en su cuenta y compruebe que nadie más pueda leer su correo.",
    },
    email_change: {
      subject: (appName) => `Su dirección de correo en ${appName} ha cambiado`,
      heading: "Su dirección de correo ha cambiado",
      changed: (appName) =>
        `Su cuenta de ${appName} tiene una dirección de correo nueva. Ya no le escribiremos a esta.`,
      newAddress: "Dirección nueva:",
      time: "Fecha y hora:",
      button: "Ir a su cuenta",
      unrequested:
        "Si no ha sido usted, alguien tiene acceso a su cuenta: póngase en contacto con nosotros de inmediato.",
      undoable: (until) =>
        `Si no ha sido usted, deshaga el cambio cuanto antes: así recuperará su dirección y se cerrará la sesión en todos los dispositivos. Puede hacerlo hasta el ${until}.`,
      undo: "Deshacer el cambio",
    },
    account_deleted: {
      subject: (appName) => `Su cuenta de ${appName} se ha eliminado`,
      heading: "Su cuenta se ha eliminado",
      deleted: (appName) =>
        `Su cuenta de ${appName} y todos los datos asociados a ella se han eliminado, tras confirmarlo con un código que enviamos a esta dirección.`,
      time: "Fecha y hora:",
      unrequested:
        "Si no ha sido usted, alguien puede leer su correo: compruebe que nadie más tenga acceso a su buzón.",
    },
  },
  preferences: {
    title: "Preferencias de correo",
    lead: (appName) =>
      `Elija qué correos puede enviar ${appName} a la dirección a la que corresponde este enlace.`,
    types: {
      welcome: { title: "Bienvenida", text: "Un correo al crear su cuenta." },
    },
    nameOf: (title) => `«${title}»`,
    all: "todos los correos opcionales",
    unsubscribe: (name) => `Dejar de recibir ${name}`,
    choose: "Correos opcionales",
    save: "Guardar",
    always:
      "Los códigos de acceso y los correos sobre la seguridad de su cuenta se envían siempre.",
    unsubscribed: (name) => `Ya no recibirá ${name}. El cambio surte efecto de inmediato.`,
    saved: "Guardado. El cambio surte efecto de inmediato.",
    old: {
      title: "Este enlace ha caducado",
      text: "Los enlaces de los correos son válidos durante un año. Use el de un correo más reciente.",
    },
    mandatory: {
      title: "Estos correos se envían siempre",
      text: "Tratan de la seguridad de su cuenta. No se ha cambiado nada.",
    },
    forged: {
      title: "Este enlace está incompleto",
      text: "No se ha cambiado nada. Abra de nuevo el enlace del correo; si lo ha copiado, asegúrese de haberlo copiado entero.",
    },
    unclear: {
      title: "No se ha cambiado nada",
      text: "La solicitud no proviene del formulario de esta página. Vuelva atrás e inténtelo de nuevo.",
    },
    unavailable: {
      title: "Volvemos enseguida",
      text: "Sus preferencias no están disponibles en este momento y no se ha cambiado nada. Inténtelo de nuevo dentro de unos segundos.",
    },
  },
};
