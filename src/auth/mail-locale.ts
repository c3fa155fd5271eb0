import type { HttpContext } from "../core/http/environment.ts";
import { preferredLanguage } from "../core/http/preferred-language.ts";

export interface MailLocaleDeps {
  /** What mails can be written in: tags as in BCP 47, in lower case. */
  readonly mailLanguages: readonly string[];
}

/** The language in which to write to who asks; undefined: EMAIL_LOCALE. */
export function mailLocale(context: HttpContext, deps: MailLocaleDeps): string | undefined {
  return preferredLanguage(context, deps.mailLanguages);
}
