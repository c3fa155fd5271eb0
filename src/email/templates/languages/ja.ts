import type { LanguageMessages } from "../../mails/mail-types.tsx";

const unrequestedCode =
  "お心当たりがない場合は、他の方が誤ってあなたのアドレスを入力した可能性があります。このメールは無視していただいて構いません。コードは絶対に他の人に教えないでください。";

export const japanese: LanguageMessages = {
  aMoment: "数秒",
  colon: "：",
  sentTo: (recipient, appName) => `このメールは${appName}から${recipient}宛てに送信されました。`,
  unsubscribe: "このメールの配信を停止する",
  mails: {
    verification_code: {
      headings: {
        sign_in: "ログインコード",
        change_email: "新しいアドレスの確認",
        leave_email: "アドレス変更の確認",
        delete_account: "アカウント削除の確認",
      },
      subject: (heading, appName) => `${heading} – ${appName}`,
      subjectWithCode: (code, heading, appName) => `${code}：${heading} – ${appName}`,
      enter: "コードの入力を求められた画面で、次のコードを入力してください。",
      validity: (remaining) => `有効期間は${remaining}です。使用できるのは1回だけです。`,
      unrequested: {
        sign_in: unrequestedCode,
        change_email: unrequestedCode,
        leave_email:
          "お心当たりがない場合は、コードを入力せず、他の人にも教えないでください。コードがなければアドレスは変更されません。第三者があなたのアカウントにアクセスしている可能性があります。ログイン中の端末をご確認ください。",
        delete_account:
          "お心当たりがない場合は、コードを入力せず、他の人にも教えないでください。コードがなければ何も削除されません。第三者があなたのアカウントにアクセスしている可能性があります。ログイン中の端末をご確認ください。",
      },
    },
    welcome: {
      subject: (appName) => `${appName}へようこそ`,
      heading: (username) => `${username}さん、ようこそ`,
      ready: (appName) => `${appName}のアカウントをご利用いただけるようになりました。`,
      noPassword:
        "パスワードを覚える必要はありません。ログインのたびに、このアドレスにコードをお送りします。",
      unrequested:
        "登録したお心当たりがない場合は、第三者があなたのアドレスで登録し、そこに届いたコードを読んだことになります。ほかの人がメールを読める状態になっていないかご確認ください。",
    },
    password_reset: {
      subject: (appName) => `パスワードの再設定 – ${appName}`,
      heading: "パスワードの再設定",
      choose: (appName) => `次のリンクから、${appName}の新しいパスワードを設定してください。`,
      button: "新しいパスワードを設定する",
      validity: (remaining) => `リンクの有効期間は${remaining}です。`,
      unrequested:
        "お心当たりがない場合は、このメールを無視してください。パスワードは変更されません。",
    },
    sign_in_notice: {
      subject: (appName) => `新しいログイン – ${appName}`,
      heading: "新しいログイン",
      signedIn: (appName) =>
        `${appName}のアカウントへのログインがありました。ご本人によるものであれば、何もする必要はありません。`,
      time: "日時：",
      device: "端末：",
      button: "アカウントを開く",
      unrequested:
        "お心当たりがない場合は、アカウントのページでその端末をログアウトさせ、ほかの人がメールを読める状態になっていないかご確認ください。",
    },
    email_change: {
      subject: (appName) => `メールアドレスが変更されました – ${appName}`,
      heading: "メールアドレスが変更されました",
      changed: (appName) =>
        `${appName}のアカウントのメールアドレスが変更されました。今後、このアドレスにはメールをお送りしません。`,
      newAddress: "新しいアドレス：",
      time: "日時：",
      button: "アカウントを開く",
      unrequested:
        "お心当たりがない場合は、第三者があなたのアカウントにアクセスしています。すぐにご連絡ください。",
      undoable: (until) =>
        `お心当たりがない場合は、すぐに変更を取り消してください。アドレスが元に戻り、すべての端末がログアウトされます。取り消しの期限：${until}`,
      undo: "変更を取り消す",
    },
    account_deleted: {
      subject: (appName) => `${appName}のアカウントが削除されました`,
      heading: "アカウントが削除されました",
      deleted: (appName) =>
        `${appName}のアカウントと、それに関連するすべてのデータを削除しました。削除は、このアドレスに送信したコードで確認されています。`,
      time: "日時：",
      unrequested:
        "お心当たりがない場合は、第三者があなたのメールを読める状態になっています。ほかの人がメールにアクセスできないことをご確認ください。",
    },
  },
  preferences: {
    title: "メールの設定",
    lead: (appName) =>
      `このリンクに対応するアドレスに${appName}が送信するメールを選択してください。`,
    types: {
      welcome: { title: "ようこそ", text: "アカウントの作成時に届くメールです。" },
    },
    nameOf: (title) => `「${title}」`,
    all: "任意のメールすべて",
    unsubscribe: (name) => `${name}の配信を停止する`,
    choose: "任意のメール",
    save: "保存",
    always: "ログインコードと、アカウントのセキュリティに関するメールは必ず送信されます。",
    unsubscribed: (name) => `${name}の配信を停止しました。変更はすぐに反映されます。`,
    saved: "保存しました。変更はすぐに反映されます。",
    old: {
      title: "リンクの有効期限が切れています",
      text: "メール内のリンクの有効期間は1年です。より新しいメールのリンクをお使いください。",
    },
    mandatory: {
      title: "このメールは必ず送信されます",
      text: "アカウントのセキュリティに関するメールです。何も変更されていません。",
    },
    forged: {
      title: "リンクが不完全です",
      text: "何も変更されていません。メール内のリンクをもう一度開いてください。コピーした場合は、リンク全体をコピーしたかご確認ください。",
    },
    unclear: {
      title: "何も変更されていません",
      text: "このページのフォーム以外からリクエストが送信されました。前のページに戻って、もう一度お試しください。",
    },
    unavailable: {
      title: "まもなく再開します",
      text: "現在、設定を利用できません。何も変更されていません。数秒後にもう一度お試しください。",
    },
  },
};
