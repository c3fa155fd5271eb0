import type { PageMessages } from "./en.ts";

const wrongCode = () => "Esse código está errado ou expirou. Use o do nosso e-mail mais recente.";

/** Of Brazil. */
export const portuguese: PageMessages = {
  signIn: {
    title: "Entrar",
    lead: "Digite seu endereço de e-mail e enviaremos um código. Você não precisa de senha.",
    address: "Endereço de e-mail",
    button: "Enviar código",
    newHere: "É sua primeira vez aqui? Sua conta é criada quando você entra.",
  },
  code: {
    sent: (address, left) =>
      `Enviamos um código de seis dígitos para ${address}. Os códigos expiram em ${left}.`,
    label: "Código de seis dígitos",
    sentToBoth: (fresh, current, left) =>
      `Faz algum tempo que você entrou, por isso enviamos um código para cada um dos seus endereços: o novo, ${fresh}, e o atual, ${current}. Os códigos expiram em ${left}.`,
    labelCurrent: "Código do endereço atual",
    labelNew: "Código do endereço novo",
    pasteHint: "Um código colado é enviado na hora.",
    noMail: "O e-mail ainda não chegou? Pode levar um minuto. Veja também a pasta de spam.",
    again: "Enviar novo código",
    wait: "Você poderá pedir um novo código em {left}.",
    development: "Servidor de desenvolvimento:",
    inbox: "abrir a caixa de entrada",
    lockedTitle: "Muitos códigos errados",
    locked: (left) =>
      `Para proteger a conta, nenhum código será aceito para este endereço por ${left}. Depois disso, peça um novo.`,
    lockedElse: "Não foi você? Ninguém conseguiu entrar, e o bloqueio termina sozinho.",
    unlocks: "Você poderá continuar em {left}.",
    checkAgain: "Verificar de novo",
  },
  purposes: {
    sign_in: {
      title: "Confira seu e-mail",
      button: "Entrar",
      back: "Usar outro endereço",
    },
    change_email: {
      title: "Confirme seu novo endereço",
      button: "Alterar o endereço",
      back: "Manter o endereço atual",
    },
    delete_account: {
      title: "Confirme a exclusão",
      button: "Excluir minha conta para sempre",
      back: "Manter minha conta",
    },
  },
  account: {
    title: "Sua conta",
    signOut: "Sair",
    username: {
      title: "Nome de usuário",
      lead: "É assim que os outros veem você. Cada nome de usuário é único.",
      label: "Seu nome de usuário",
      hint: "Até 32 caracteres: letras de a a z, dígitos, pontos, hifens e sublinhados.",
      button: "Salvar",
    },
    email: {
      title: "Endereço de e-mail",
      lead: "É para onde enviamos seus códigos. Para trocar, confirme o novo com um código.",
      current: (address) => `Você entra com ${address}.`,
      label: "Novo endereço de e-mail",
      button: "Enviar um código para ele",
    },
    mails: {
      title: "E-mails",
      lead: "Você sempre recebe seus códigos. Os outros e-mails, você escolhe.",
      button: "Escolher e-mails",
    },
    sessions: {
      title: "Onde sua conta está conectada",
      lead: "Se você não reconhece algum destes dispositivos, desconecte-o. O efeito é imediato.",
      current: "Este dispositivo",
      times: (used, begun) => `Último uso: ${used} · entrada: ${begun}`,
      revoke: "Desconectar",
      revokeSpoken: (device, used) => `Desconectar ${device}, último uso: ${used}`,
      others: "Desconectar todos os outros",
      device: (browser, system) => `${browser} em ${system}`,
      someBrowser: "Um navegador",
      unknownDevice: "Dispositivo desconhecido",
      now: "agora mesmo",
    },
    deletion: {
      title: "Excluir sua conta",
      lead: "Ela é excluída na hora e não pode ser recuperada.",
      button: "Excluir minha conta…",
    },
  },
  deletion: {
    title: "Excluir sua conta?",
    lead: "Todas as sessões serão encerradas, e seu nome de usuário, seu endereço e tudo o que guardamos com eles serão excluídos. Não é possível desfazer.",
    proof: (address) => `Para ter certeza de que é você, enviaremos um código para ${address}.`,
    button: "Enviar o código",
    back: "Manter minha conta",
  },
  undo: {
    title: "Desfazer a alteração?",
    lead: "O endereço da conta voltará a ser este:",
    ends: "Todos os dispositivos serão desconectados da conta. Depois, você poderá entrar com esse endereço.",
    button: "Desfazer a alteração",
  },
  undoInvalid: {
    title: "Este link não é mais válido",
    text: "Ele está incompleto, tem mais de 72 horas ou já foi usado. Se você não consegue entrar na sua conta, fale conosco.",
    button: "Ir para a página inicial",
  },
  undoTaken: {
    title: "O endereço tem outra conta",
    text: "Se você entrou com ele depois da alteração, criou uma segunda conta: entre nela, exclua-a e abra este link de novo. Ele vale por 72 horas a partir da alteração.",
    button: "Entrar",
  },
  done: {
    signed_out: "Você saiu da sua conta.",
    account_deleted: "Sua conta foi excluída. É uma pena ver você partir.",
    code_sent: "Um novo código está a caminho. Os anteriores continuam valendo.",
    code_sent_already:
      "O código já está a caminho. Pode levar um minuto; veja também a pasta de spam.",
    username_saved: "Salvo.",
    email_changed:
      "Seu endereço foi alterado e todos os outros dispositivos foram desconectados. A partir de agora, entre com o novo.",
    email_restored:
      "O endereço da sua conta foi restaurado e todos os dispositivos foram desconectados. Entre com esse endereço.",
    session_revoked: "Esse dispositivo foi desconectado.",
    others_revoked: "Todos os outros dispositivos foram desconectados.",
  },
  failed: {
    email_invalid: () =>
      "Isso não é um endereço de e-mail. Ele deve ser parecido com ana@example.com.",
    email_unseen: () =>
      "Esse endereço contém um espaço ou um caractere invisível. Digite-o em vez de colar.",
    address_unsupported: () =>
      "Não podemos enviar para esse endereço: nosso servidor só aceita caracteres ASCII antes do @. Use outro endereço.",
    email_unchanged: () => "Esse já é o seu endereço.",
    email_taken: () => "Esse endereço pertence a outra conta.",
    code_shape: () => "O código tem seis dígitos. Ele está no nosso e-mail mais recente.",
    code_invalid: wrongCode,
    confirmation_invalid: wrongCode,
    current_code_invalid: wrongCode,
    current_code_required: () =>
      "Faz algum tempo que você entrou, por isso a alteração também precisa de um código do seu endereço atual. Envie novos códigos para os dois.",
    email_changed_recently: (later) =>
      `O endereço desta conta foi alterado há pouco e quem o tinha antes ainda pode desfazer a alteração. Você poderá excluir a conta ${later}.`,
    too_many_codes: (later) =>
      `Enviamos códigos demais para este endereço. Peça outro ${later}; os que você tem valem até expirar.`,
    too_many_attempts: (later) => `Muitos códigos errados. Tente de novo ${later}.`,
    too_many_requests: (later) => `Muitas solicitações vindas da sua rede. Tente de novo ${later}.`,
    username_invalid: () =>
      "Use de 1 a 32 letras de a a z, dígitos, pontos, hifens e sublinhados. Comece e termine com uma letra ou um dígito.",
    username_taken: () => "Esse nome de usuário já está em uso. Escolha outro.",
    mail_unavailable: (later) =>
      `No momento não conseguimos enviar e-mails, então ainda não há código. Tente de novo ${later}.`,
    unavailable: (later) => `Um dos nossos serviços está indisponível. Tente de novo ${later}.`,
    account_switched: () =>
      "Nada foi alterado: aquela página estava aberta para outra conta. Agora você está nesta.",
    unauthenticated: () => "Sua sessão terminou. Entre para continuar.",
    unexpected: () => "Algo deu errado do nosso lado. Tente de novo daqui a pouco.",
  },
  lost: {
    title: "Comece de novo",
    text: "Esta etapa expirou ou seu navegador bloqueia cookies. Nada foi perdido: comece de novo e, se você vir esta página outra vez, permita os cookies deste site.",
    button: "Começar de novo",
  },
  elsewhere: {
    title: "Formulário não aceito",
    text: "Este formulário não foi enviado de uma página deste site, então nada foi feito. Abra a página e tente de novo por lá.",
    button: "Abrir a página",
  },
  insecure: {
    title: "Abra esta página com https",
    text: "Esta página foi aberta com http://. Os navegadores não mantêm a sessão em uma conexão assim, então nada foi feito. Abra a página com https://.",
    button: "Abrir com https",
  },
  unavailable: {
    title: "Voltamos já",
    text: "Algo de que esta página precisa está indisponível. Nada foi perdido. Tente de novo em alguns segundos.",
    button: "Tentar de novo",
  },
  nowhere: {
    title: "Página não encontrada",
    text: "O endereço pode ter sido digitado errado ou a página foi removida.",
    button: "Ir para a página inicial",
  },
  refused: {
    title: "Solicitação não aceita",
    text: "O que seu navegador enviou era longo demais ou estava incompleto, então nada foi feito. Comece de novo.",
    button: "Começar de novo",
  },
  fault: {
    title: "Algo deu errado",
    text: "A falha é nossa, não sua. Tente de novo daqui a pouco; se acontecer outra vez, envie este número para nós:",
    button: "Tentar de novo",
  },
  unsent:
    "Não foi possível enviar: o servidor está inacessível. Verifique sua conexão e tente de novo.",
};
