import type { LanguageMessages } from "../../mails/mail-types.tsx";

const unrequestedCode =
  "إذا لم تطلب ذلك، فربما أدخل شخص ما عنوانك عن طريق الخطأ، ويمكنك تجاهل هذه الرسالة. لا تشارك الرمز مع أي أحد.";

export const arabic: LanguageMessages = {
  aMoment: "بضع ثوانٍ",
  colon: ":",
  sentTo: (recipient, appName) => `أُرسلت هذه الرسالة من ${appName} إلى ${recipient}.`,
  unsubscribe: "إلغاء الاشتراك في هذه الرسائل",
  mails: {
    verification_code: {
      headings: {
        sign_in: "رمز تسجيل الدخول",
        change_email: "تأكيد عنوانك الجديد",
        delete_account: "تأكيد حذف حسابك",
      },
      subject: (heading, appName) => `${heading} – ${appName}`,
      subjectWithCode: (code, heading, appName) => `${code}: ${heading} – ${appName}`,
      enter: "أدخل هذا الرمز حيث طُلب منك.",
      validity: (remaining) => `مدة الصلاحية: ${remaining}. يمكن استخدام الرمز مرة واحدة.`,
      unrequested: {
        sign_in: unrequestedCode,
        change_email: unrequestedCode,
        delete_account:
          "إذا لم تطلب ذلك، فلا تُدخل الرمز ولا تشاركه مع أي أحد: لن يُحذف شيء من دونه. ربما تمكّن شخص ما من الوصول إلى حسابك، فتحقّق من جلساتك.",
      },
    },
    welcome: {
      subject: (appName) => `مرحبًا بك في ${appName}`,
      heading: (username) => `مرحبًا، ${username}`,
      ready: (appName) => `حسابك في ${appName} جاهز.`,
      noPassword:
        "لا حاجة إلى تذكّر كلمة مرور: في كل مرة تسجّل فيها الدخول نرسل رمزًا إلى هذا العنوان.",
      unrequested:
        "إذا لم تُنشئ هذا الحساب، فقد أنشأه شخص آخر باستخدام عنوانك وقرأ الرمز الذي أرسلناه إليه: تأكّد من أن لا أحد غيرك يستطيع الوصول إلى بريدك.",
    },
    password_reset: {
      subject: (appName) => `إعادة تعيين كلمة المرور – ${appName}`,
      heading: "إعادة تعيين كلمة المرور",
      choose: (appName) => `استخدم هذا الرابط لاختيار كلمة مرور جديدة في ${appName}.`,
      button: "اختيار كلمة مرور جديدة",
      validity: (remaining) => `مدة صلاحية الرابط: ${remaining}.`,
      unrequested: "إذا لم تطلب ذلك، فيمكنك تجاهل هذه الرسالة: ستبقى كلمة مرورك كما هي.",
    },
    sign_in_notice: {
      subject: (appName) => `تسجيل دخول جديد – ${appName}`,
      heading: "تسجيل دخول جديد",
      signedIn: (appName) =>
        `سُجِّل الدخول إلى حسابك في ${appName}. إذا كنت أنت من فعل ذلك، فلا داعي لأي إجراء.`,
      time: "الوقت:",
      device: "الجهاز:",
      button: "الانتقال إلى حسابك",
      unrequested:
        "إذا لم تكن أنت، فأنهِ تلك الجلسة من حسابك، وتأكّد من أن لا أحد غيرك يستطيع الوصول إلى بريدك.",
    },
    email_change: {
      subject: (appName) => `تم تغيير عنوان بريدك الإلكتروني – ${appName}`,
      heading: "تم تغيير عنوان بريدك الإلكتروني",
      changed: (appName) =>
        `أصبح لحسابك في ${appName} عنوان بريد إلكتروني جديد. لن نراسلك على هذا العنوان بعد الآن.`,
      newAddress: "العنوان الجديد:",
      time: "الوقت:",
      button: "الانتقال إلى حسابك",
      unrequested: "إذا لم تكن أنت، فقد تمكّن شخص ما من الوصول إلى حسابك: تواصل معنا فورًا.",
    },
  },
  preferences: {
    title: "تفضيلات البريد الإلكتروني",
    lead: (appName) =>
      `اختر الرسائل التي يجوز لتطبيق ${appName} إرسالها إلى العنوان المرتبط بهذا الرابط.`,
    types: {
      welcome: { title: "الترحيب", text: "رسالة واحدة عند إنشاء حسابك." },
      sign_in_notice: {
        title: "عمليات تسجيل الدخول",
        text: "رسالة عندما يسجّل أحد الدخول إلى حسابك.",
      },
    },
    nameOf: (title) => `«${title}»`,
    all: "كل الرسائل الاختيارية",
    unsubscribe: (name) => `إلغاء الاشتراك في ${name}`,
    choose: "الرسائل الاختيارية",
    save: "حفظ",
    always: "رموز تسجيل الدخول والرسائل الأخرى التي تطلبها تُرسل دائمًا.",
    unsubscribed: (name) => `أُلغي اشتراكك في ${name}. يسري التغيير فورًا.`,
    saved: "تم الحفظ. يسري التغيير فورًا.",
    old: {
      title: "انتهت صلاحية هذا الرابط",
      text: "روابط الرسائل صالحة لمدة سنة. استخدم الرابط الوارد في رسالة أحدث.",
    },
    forged: {
      title: "هذا الرابط غير مكتمل",
      text: "لم يتغيّر شيء. افتح الرابط الوارد في الرسالة مرة أخرى، وإن نسخته فتأكّد من أنك نسخته كاملًا.",
    },
    unclear: {
      title: "لم يتغيّر شيء",
      text: "لم يأتِ الطلب من النموذج الموجود في هذه الصفحة. ارجع وحاول مرة أخرى.",
    },
    unavailable: {
      title: "سنعود بعد لحظات",
      text: "تفضيلاتك غير متاحة حاليًا ولم يتغيّر شيء. حاول مرة أخرى بعد بضع ثوانٍ.",
    },
  },
};
