import { throwProblems } from "../core/config.ts";
import { languageTags } from "../email/templates/languages.ts";
import type { RenderMail } from "../email/templates/mail-renderer.tsx";
import { createMailRenderer } from "../email/templates/mail-renderer.tsx";
import { loadOverrides } from "../email/templates/overrides/load-overrides.ts";
import type { Config } from "./config.ts";
import type { Engines } from "./engines.ts";

interface MailTemplates {
  readonly render: RenderMail;
  /** Every language that mails can be written in: tags in lower case. */
  readonly languages: readonly string[];
}

/** The templates that the settings ask for. Throws `config_invalid` for broken ones of the operator. */
export function composeMailTemplates(config: Config): MailTemplates {
  const { templates, problems } = tryMailTemplates(config);
  throwProblems(
    problems.map(({ file, line, problem }) => {
      const place = line === undefined ? file : `${file}:${line}`;
      return { name: "TEMPLATE_DIR", problem: `${place} ${problem}` };
    }),
  );
  return templates;
}

/** The templates of a service, loaded once. */
export function mailTemplatesOf(engines: Engines): MailTemplates {
  return engines.remember("mail templates", () => composeMailTemplates(engines.config));
}

/** The same, but returns the problems; a broken template is not replaced by a built-in one. */
export function tryMailTemplates({ app, templates }: Config) {
  const { locale: fallbackLocale, codeInSubject, directory } = templates;
  const loaded =
    directory === undefined
      ? undefined
      : loadOverrides(directory, { fallbackLocale, codeInSubject });
  const options = { appName: app.name, fallbackLocale, codeInSubject };
  const overrides = loaded?.overrides;
  const render = createMailRenderer(overrides === undefined ? options : { ...options, overrides });
  const languages = [...new Set([...languageTags, ...(overrides?.languages ?? [])])];
  return { templates: { render, languages }, problems: loaded?.problems ?? [] };
}
