import { flagField, patternField, textField } from "../../core/config/field.ts";

/** The settings of how mails read. */
export const templateFields = {
  locale: patternField({
    name: "EMAIL_LOCALE",
    pattern: /^(?=.{2,35}$)[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*$/,
    shape: "a language as in BCP 47, such as en or es-MX",
    fallback: "en",
    doc: "Language of a mail whose event names none, or one that there are no words for. There are words in en, es and ru, and in what TEMPLATE_DIR adds.",
  }),
  codeInSubject: flagField({
    name: "EMAIL_CODE_IN_SUBJECT",
    fallback: "false",
    doc: "Whether the subject of a verification_code mail shows the code. Quick to read, also for whoever sees the locked screen of the phone.",
  }),
  directory: textField({
    name: "TEMPLATE_DIR",
    doc: "Directory of templates that replace the program's own, see docs/templates.md. Read once, at start; one that is broken is refused there.",
  }),
} as const;
