import type { RenderMail } from "../email/templates/mail-renderer.ts";
import { createMailRenderer } from "../email/templates/mail-renderer.ts";
import type { Config } from "./config.ts";

/** The templates as the settings want them. Throws `config_invalid` for broken ones of the operator. */
export function composeMailRenderer(config: Pick<Config, "app" | "templates">): RenderMail {
  const { locale, codeInSubject } = config.templates;
  return createMailRenderer({ appName: config.app.name, fallbackLocale: locale, codeInSubject });
}
