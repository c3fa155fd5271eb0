import type { LanguageMessages } from "../../mails/mail-types.tsx";

const unrequestedCode =
  "Если вы этого не запрашивали, возможно, кто-то по ошибке указал ваш адрес — просто проигнорируйте это письмо. Никому не сообщайте код.";

export const russian: LanguageMessages = {
  locale: "ru",
  direction: "ltr",
  aMoment: "несколько секунд",
  sentTo: (recipient, appName) =>
    `Это письмо отправлено на адрес ${recipient} от имени ${appName}.`,
  unsubscribe: "Отписаться от таких писем",
  mails: {
    verification_code: {
      headings: {
        sign_in: "Ваш код для входа",
        change_email: "Подтвердите новый адрес",
        delete_account: "Подтвердите удаление аккаунта",
      },
      subject: (heading, appName) => `${heading} — ${appName}`,
      subjectWithCode: (code, heading, appName) => `${code}: ${heading} — ${appName}`,
      enter: "Введите этот код там, где его запросили.",
      validity: (remaining) => `Срок действия — ${remaining}. Код можно использовать один раз.`,
      unrequested: {
        sign_in: unrequestedCode,
        change_email: unrequestedCode,
        delete_account:
          "Если вы этого не запрашивали, не вводите код и никому его не сообщайте: без него ничего не удалится. Возможно, кто-то получил доступ к вашему аккаунту — проверьте свои сеансы.",
      },
    },
    welcome: {
      subject: (appName) => `Добро пожаловать в ${appName}`,
      heading: (username) => `Здравствуйте, ${username}!`,
      ready: (appName) => `Ваш аккаунт ${appName} готов.`,
      noPassword: "Пароль запоминать не нужно: при каждом входе мы отправляем код на этот адрес.",
      unrequested:
        "Если вы не регистрировались, значит, кто-то указал ваш адрес и прочитал отправленный на него код: убедитесь, что никто другой не может читать вашу почту.",
    },
    password_reset: {
      subject: (appName) => `Сброс пароля — ${appName}`,
      heading: "Сброс пароля",
      choose: (appName) => `По этой ссылке вы можете задать новый пароль для ${appName}.`,
      button: "Задать новый пароль",
      validity: (remaining) => `Срок действия ссылки — ${remaining}.`,
      unrequested:
        "Если вы этого не запрашивали, просто проигнорируйте это письмо: пароль останется прежним.",
    },
    sign_in_notice: {
      subject: (appName) => `Новый вход — ${appName}`,
      heading: "Новый вход",
      signedIn: (appName) =>
        `В ваш аккаунт ${appName} выполнен вход. Если это были вы, ничего делать не нужно.`,
      time: "Время",
      device: "Устройство",
      button: "Перейти в аккаунт",
      unrequested:
        "Если это были не вы, завершите этот сеанс в своём аккаунте и убедитесь, что никто другой не может читать вашу почту.",
    },
    email_change: {
      subject: (appName) => `Адрес электронной почты изменён — ${appName}`,
      heading: "Адрес электронной почты изменён",
      changed: (appName) =>
        `У вашего аккаунта ${appName} теперь новый адрес электронной почты. На этот адрес письма больше приходить не будут.`,
      newAddress: "Новый адрес",
      time: "Время",
      button: "Перейти в аккаунт",
      unrequested:
        "Если это были не вы, кто-то получил доступ к вашему аккаунту: сразу напишите нам.",
    },
  },
};
