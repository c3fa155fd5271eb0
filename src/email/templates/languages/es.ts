import type { LanguageMessages } from "../texts.ts";

const byMistake =
  "¿No lo ha pedido usted? Puede que alguien haya escrito su dirección por error: no haga caso de este correo. No dé el código a nadie.";

export const spanish: LanguageMessages = {
  locale: "es",
  direction: "ltr",
  name: "Español",
  aMoment: "un momento",
  sentTo: (recipient, appName) => `${appName} ha enviado este correo a ${recipient}.`,
  unsubscribe: "No recibir más correos de este tipo",
  mails: {
    verification_code: {
      headings: {
        sign_in: "Su código de acceso",
        change_email: "Confirme su nueva dirección",
        delete_account: "Confirme la eliminación de su cuenta",
      },
      subject: (heading, appName) => `${heading} en ${appName}`,
      subjectWithCode: (code, heading, appName) => `${code}: ${heading} en ${appName}`,
      enter: "Introduzca este código donde se lo hayan pedido.",
      validity: (remaining) => `Es válido durante ${remaining} y se puede usar una sola vez.`,
      unrequested: {
        sign_in: byMistake,
        change_email: byMistake,
        delete_account:
          "¿No lo ha pedido usted? No introduzca el código ni se lo dé a nadie: sin él no se elimina nada. Puede que alguien haya entrado en su cuenta; revise sus sesiones.",
      },
    },
    welcome: {
      subject: (appName) => `Le damos la bienvenida a ${appName}`,
      heading: (username) => `Hola, ${username}`,
      ready: (appName) => `Su cuenta de ${appName} está lista.`,
      noPassword:
        "No hay contraseña que recordar: cada vez que inicie sesión, le enviaremos un código a esta dirección.",
      unrequested:
        "¿No lo ha pedido usted? Alguien se ha registrado con su dirección y ha leído el código que enviamos a ella: compruebe que nadie más pueda leer su correo.",
    },
    password_reset: {
      subject: (appName) => `Restablezca su contraseña de ${appName}`,
      heading: "Restablezca su contraseña",
      choose: (appName) => `Con este enlace puede elegir una nueva contraseña para ${appName}.`,
      button: "Elegir una contraseña nueva",
      validity: (remaining) => `El enlace es válido durante ${remaining}.`,
      unrequested:
        "¿No lo ha pedido usted? No haga caso de este correo: su contraseña sigue siendo la misma.",
    },
    sign_in_notice: {
      subject: (appName) => `Nuevo inicio de sesión en ${appName}`,
      heading: "Nuevo inicio de sesión",
      somebody: (appName) =>
        `Alguien ha iniciado sesión en su cuenta de ${appName}. Si ha sido usted, no tiene que hacer nada.`,
      time: "Hora",
      device: "Dispositivo",
      button: "Ver su cuenta",
      unrequested:
        "¿No ha sido usted? Cierre esa sesión en su cuenta y compruebe que nadie más pueda leer su correo.",
    },
    email_change: {
      subject: (appName) => `Su dirección en ${appName} ha cambiado`,
      heading: "Su dirección ha cambiado",
      changed: (appName) =>
        `Su cuenta de ${appName} tiene una dirección nueva. Los correos ya no llegarán a esta.`,
      newAddress: "Dirección nueva",
      time: "Hora",
      button: "Ver su cuenta",
      unrequested: "¿No ha sido usted? Alguien ha entrado en su cuenta: escríbanos enseguida.",
    },
  },
};
