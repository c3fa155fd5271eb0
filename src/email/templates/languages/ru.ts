import type { LanguageMessages } from "../texts.ts";

const byMistake =
  "Вы этого не запрашивали? Возможно, кто-то по ошибке указал ваш адрес: просто не обращайте внимания на это письмо. Никому не сообщайте код.";

export const russian: LanguageMessages = {
  locale: "ru",
  direction: "ltr",
  name: "Русский",
  aMoment: "несколько секунд",
  sentTo: (recipient, appName) =>
    `Это письмо отправлено на адрес ${recipient} от имени ${appName}.`,
  unsubscribe: "Не получать больше таких писем",
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
        sign_in: byMistake,
        change_email: byMistake,
        delete_account:
          "Вы этого не запрашивали? Не вводите код и никому его не сообщайте: без него ничего не удалится. Возможно, кто-то вошёл в ваш аккаунт — проверьте свои сеансы.",
      },
    },
    welcome: {
      subject: (appName) => `Добро пожаловать в ${appName}`,
      heading: (username) => `Здравствуйте, ${username}!`,
      ready: (appName) => `Ваш аккаунт ${appName} готов.`,
      noPassword: "Пароль запоминать не нужно: при каждом входе мы отправляем код на этот адрес.",
      unrequested:
        "Вы этого не запрашивали? Значит, кто-то зарегистрировался с вашим адресом и прочитал отправленный на него код: убедитесь, что никто другой не читает вашу почту.",
    },
    password_reset: {
      subject: (appName) => `Сброс пароля — ${appName}`,
      heading: "Сброс пароля",
      choose: (appName) => `По этой ссылке вы можете задать новый пароль для ${appName}.`,
      button: "Задать новый пароль",
      validity: (remaining) => `Срок действия ссылки — ${remaining}.`,
      unrequested:
        "Вы этого не запрашивали? Не обращайте внимания на это письмо: пароль останется прежним.",
    },
    sign_in_notice: {
      subject: (appName) => `Новый вход — ${appName}`,
      heading: "Новый вход",
      somebody: (appName) =>
        `В ваш аккаунт ${appName} был выполнен вход. Если это были вы, ничего делать не нужно.`,
      time: "Время",
      device: "Устройство",
      button: "Открыть аккаунт",
      unrequested:
        "Это были не вы? Завершите этот сеанс в своём аккаунте и убедитесь, что никто другой не читает вашу почту.",
    },
    email_change: {
      subject: (appName) => `Адрес изменён — ${appName}`,
      heading: "Ваш адрес изменён",
      changed: (appName) =>
        `У вашего аккаунта ${appName} теперь новый адрес. На этот адрес письма больше не приходят.`,
      newAddress: "Новый адрес",
      time: "Время",
      button: "Открыть аккаунт",
      unrequested: "Это были не вы? Значит, в ваш аккаунт вошёл кто-то другой: сразу напишите нам.",
    },
  },
};
