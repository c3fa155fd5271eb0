import { createHttpApp } from "../../core/http/app.ts";
import type { HttpContext } from "../../core/http/environment.ts";
import { loopbackOnly } from "../../core/http/loopback-only.ts";
import type { Log } from "../../core/log.ts";
import { mailFrame } from "../pages/mail-frame.ts";
import type { RenderMail } from "../templates/mail-renderer.ts";
import type { TemplateProblem } from "../templates/overrides/operator-text.ts";
import { parseChoice, renderSample } from "./preview-mail.ts";
import { previewPage } from "./preview-page.tsx";

export interface PreviewTemplates {
  readonly render: RenderMail;
  readonly languages: readonly string[];
  /** What is wrong with the operator's templates now. */
  readonly problems: readonly TemplateProblem[];
}

export interface PreviewDeps {
  readonly log: Log;
  readonly now: () => number;
  /** Asked for each page, so that a template that was just saved is shown. */
  readonly templates: () => PreviewTemplates;
}

/** The pages on which all mails can be looked at, with sample data, on this machine alone. */
export function createPreviewApp({ log, now, templates }: PreviewDeps) {
  const app = createHttpApp({ log });
  app.use(loopbackOnly());
  app.get("/", (context) => {
    const { render, languages, problems } = templates();
    const choice = choiceOf(context, languages);
    const mail = renderSample(render, choice, now());
    return previewPage({ choice, languages, mail, problems });
  });
  app.get("/frame", (context) => {
    const { render, languages } = templates();
    const { html } = renderSample(render, choiceOf(context, languages), now());
    return mailFrame(inScheme(html, context.req.query("scheme") === "dark" ? "dark" : "light"));
  });
  return app;
}

function choiceOf({ req }: HttpContext, languages: readonly string[]) {
  const asked = (name: string) => req.query(name) ?? "";
  const named = { type: asked("type"), sample: asked("sample"), language: asked("language") };
  return parseChoice(named, languages);
}

/** The mail as a mail program in that mode shows it, whatever mode the browser is in. */
function inScheme(html: string, scheme: "light" | "dark"): string {
  const condition = /\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)/g;
  return html.replace(condition, (_, wanted) =>
    wanted === scheme ? "(min-width:0px)" : "(max-width:0px)",
  );
}
