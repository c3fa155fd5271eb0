import type { ConfigProblem } from "../core/config.ts";
import { throwProblems } from "../core/config.ts";
import { languageTags } from "../email/templates/languages.ts";
import type { RenderMail } from "../email/templates/mail-renderer.tsx";
import { createMailRenderer } from "../email/templates/mail-renderer.tsx";
import { loadOverrides } from "../email/templates/overrides/load-overrides.ts";
import type { Overrides, TemplateProblem } from "../email/templates/overrides/overrides.ts";
import type { Config } from "./config.ts";
import type { Engines } from "./engines.ts";

interface MailTemplates {
  readonly render: RenderMail;
  /** What mails can be written in: tags in lower case. */
  readonly languages: readonly string[];
}

/** The templates as the settings want them. Throws `config_invalid` for broken ones of the operator. */
export function composeMailTemplates(config: Pick<Config, "app" | "templates">): MailTemplates {
  const { templates, problems } = tryMailTemplates(config);
  throwProblems(problems.map(inConfig));
  return templates;
}

/** Those of a service, composed once. */
export function mailTemplatesOf(engines: Engines): MailTemplates {
  return engines.remember("mail templates", () => composeMailTemplates(engines.config));
}

/** The same with the problems beside them; what is broken is not replaced. */
export function tryMailTemplates({ app, templates }: Pick<Config, "app" | "templates">) {
  const { locale: fallbackLocale, codeInSubject, directory } = templates;
  const loaded =
    directory === undefined
      ? undefined
      : loadOverrides(directory, { fallbackLocale, codeInSubject });
  return {
    templates: createTemplates(
      { appName: app.name, fallbackLocale, codeInSubject },
      loaded?.overrides,
    ),
    problems: loaded?.problems ?? [],
  };
}

function createTemplates(
  options: Parameters<typeof createMailRenderer>[0],
  overrides: Overrides | undefined,
): MailTemplates {
  const given = overrides === undefined ? options : { ...options, overrides };
  const languages = [...new Set([...languageTags, ...(overrides?.languages ?? [])])];
  return { render: createMailRenderer(given), languages };
}

function inConfig({ file, line, problem }: TemplateProblem): ConfigProblem {
  const place = line === undefined ? file : `${file}:${line}`;
  return { name: "TEMPLATE_DIR", problem: `${place} ${problem}` };
}
