import { choiceField, flagField, textField } from "../core/config/field.ts";
import { logLevels } from "../core/log.ts";

/** The settings that belong to no room: which program this is and which engines it runs on. */
export const appFields = {
  environment: choiceField({
    name: "APP_ENV",
    choices: ["development", "test", "production"],
    fallback: "development",
    doc: "`production` refuses to start while an engine, a secret or EMAIL_MODE=smtp is missing.",
  }),
  name: textField({
    name: "APP_NAME",
    charsMax: 100,
    fallback: "instant",
    doc: "The name that mails and pages show.",
  }),
  dataDirectory: textField({
    name: "DATA_DIR",
    fallback: ".instant",
    doc: "Directory of the embedded engines' files, of generated secrets and of unfinished replays. Created with mode 0700.",
  }),
  logLevel: choiceField({
    name: "LOG_LEVEL",
    choices: logLevels,
    fallback: "info",
    doc: "The least level that is logged.",
  }),
  logFormat: choiceField({
    name: "LOG_FORMAT",
    choices: ["auto", "json", "pretty"],
    fallback: "auto",
    doc: "`json` is for machines, `pretty` for a person. `auto`: pretty on a terminal and outside production, else json. NO_COLOR leaves out the colours.",
  }),
  enableKafka: flagField({
    name: "ENABLE_KAFKA",
    fallback: "true",
    doc: "Whether serve-auth publishes to the event log. `false`: it delivers every mail itself, and serve-email may be stopped.",
  }),
  emailMode: choiceField({
    name: "EMAIL_MODE",
    choices: ["log", "smtp"],
    fallback: "log",
    doc: "`smtp` sends mails. `log` logs them and keeps the newest 1,000 in the inbox.",
  }),
} as const;
