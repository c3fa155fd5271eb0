import type { LanguageMessages } from "../../mails/mail-types.tsx";

const unrequestedCode =
  "Se você não pediu isto, alguém pode ter digitado seu endereço por engano; ignore este e-mail. Nunca compartilhe o código com ninguém.";

/** Of Brazil. */
export const portuguese: LanguageMessages = {
  aMoment: "alguns segundos",
  colon: ":",
  sentTo: (recipient, appName) => `${appName} enviou este e-mail para ${recipient}.`,
  unsubscribe: "Deixar de receber estes e-mails",
  mails: {
    verification_code: {
      headings: {
        sign_in: "Seu código de acesso",
        change_email: "Confirme seu novo endereço",
        leave_email: "Confirme a alteração do seu endereço",
        delete_account: "Confirme a exclusão da sua conta",
      },
      subject: (heading, appName) => `${heading} – ${appName}`,
      subjectWithCode: (code, heading, appName) => `${code}: ${heading} – ${appName}`,
      enter: "Digite este código onde ele foi pedido.",
      validity: (remaining) => `Ele vale por ${remaining} e só pode ser usado uma vez.`,
      unrequested: {
        sign_in: unrequestedCode,
        change_email: unrequestedCode,
        leave_email:
          "Se você não pediu isto, não digite o código nem o compartilhe com ninguém: sem ele, seu endereço continua o mesmo. Alguém pode ter acesso à sua conta; confira suas sessões.",
        delete_account:
          "Se você não pediu isto, não digite o código nem o compartilhe com ninguém: sem ele, nada é excluído. Alguém pode ter acesso à sua conta; confira suas sessões.",
      },
    },
    welcome: {
      subject: (appName) => `Boas-vindas ao ${appName}`,
      heading: (username) => `Olá, ${username}`,
      ready: (appName) => `Sua conta ${appName} está pronta.`,
      noPassword:
        "Não há senha para lembrar: cada vez que você entrar, enviaremos um código para este endereço.",
      unrequested:
        "Se você não se cadastrou, alguém fez isso com seu endereço e leu o código que enviamos para ele: verifique se ninguém mais tem acesso ao seu e-mail.",
    },
    password_reset: {
      subject: (appName) => `Redefina sua senha – ${appName}`,
      heading: "Redefina sua senha",
      choose: (appName) => `Use este link para escolher uma nova senha para ${appName}.`,
      button: "Escolher uma nova senha",
      validity: (remaining) => `O link vale por ${remaining}.`,
      unrequested: "Se você não pediu isto, ignore este e-mail: sua senha continua a mesma.",
    },
    sign_in_notice: {
      subject: (appName) => `Novo acesso à sua conta – ${appName}`,
      heading: "Novo acesso à sua conta",
      signedIn: (appName) =>
        `Alguém entrou na sua conta ${appName}. Se foi você, não é preciso fazer nada.`,
      time: "Data e hora:",
      device: "Dispositivo:",
      button: "Ir para sua conta",
      unrequested:
        "Se não foi você, encerre essa sessão na sua conta e verifique se ninguém mais tem acesso ao seu e-mail.",
    },
    email_change: {
      subject: (appName) => `Seu endereço de e-mail foi alterado – ${appName}`,
      heading: "Seu endereço de e-mail foi alterado",
      changed: (appName) =>
        `Sua conta ${appName} tem um novo endereço de e-mail. Não escreveremos mais para este.`,
      newAddress: "Novo endereço:",
      time: "Data e hora:",
      button: "Ir para sua conta",
      unrequested: "Se não foi você, alguém tem acesso à sua conta: fale conosco imediatamente.",
      undoable: (until) =>
        `Se não foi você, desfaça a alteração imediatamente: seu endereço será restaurado e todos os dispositivos serão desconectados. Você pode fazer isso até ${until}.`,
      undo: "Desfazer a alteração",
    },
    account_deleted: {
      subject: (appName) => `Sua conta ${appName} foi excluída`,
      heading: "Sua conta foi excluída",
      deleted: (appName) =>
        `Sua conta ${appName} e tudo o que guardamos com ela foram excluídos, após a confirmação com um código que enviamos para este endereço.`,
      time: "Data e hora:",
      unrequested:
        "Se não foi você, alguém pode ler seus e-mails: verifique se ninguém mais tem acesso à sua caixa de entrada.",
    },
  },
  preferences: {
    title: "Preferências de e-mail",
    lead: (appName) =>
      `Escolha quais e-mails ${appName} pode enviar para o endereço a que este link pertence.`,
    types: {
      welcome: { title: "Boas-vindas", text: "Um e-mail quando sua conta é criada." },
    },
    nameOf: (title) => `“${title}”`,
    all: "todos os e-mails opcionais",
    unsubscribe: (name) => `Deixar de receber ${name}`,
    choose: "E-mails opcionais",
    save: "Salvar",
    always: "Os códigos de acesso e os e-mails sobre a segurança da sua conta são sempre enviados.",
    unsubscribed: (name) => `Você não receberá mais ${name}. A mudança vale na hora.`,
    saved: "Salvo. A mudança vale na hora.",
    old: {
      title: "Este link expirou",
      text: "Os links nos e-mails valem por um ano. Use o link de um e-mail mais recente.",
    },
    mandatory: {
      title: "Estes e-mails são sempre enviados",
      text: "Eles tratam da segurança da sua conta. Nada foi alterado.",
    },
    forged: {
      title: "Este link está incompleto",
      text: "Nada foi alterado. Abra o link do e-mail outra vez; se você o copiou, verifique se copiou por inteiro.",
    },
    unclear: {
      title: "Nada foi alterado",
      text: "A solicitação não veio do formulário desta página. Volte e tente de novo.",
    },
    unavailable: {
      title: "Voltamos já",
      text: "Suas preferências estão indisponíveis no momento e nada foi alterado. Tente de novo em alguns segundos.",
    },
  },
};
