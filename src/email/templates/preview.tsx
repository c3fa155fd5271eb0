import { pageResponse } from "../../core/html/page.tsx";
import { createHttpApp } from "../../core/http/app.ts";
import { loopbackOnly } from "../../core/http/client-address.ts";
import type { HttpContext } from "../../core/http/problem.ts";
import { isLanguage, traitsOf } from "../../core/languages.ts";
import type { Log } from "../../core/log.ts";
import type { EmailEvent } from "../event.ts";
import { decodeEmailEvent } from "../event.ts";
import type { EventType } from "../mails/mail-types.tsx";
import { eventTypes, samplesOf } from "../mails/mail-types.tsx";
import { mailFrame } from "./layout.tsx";
import type { RenderedMail, RenderMail } from "./mail-renderer.tsx";
import type { TemplateProblem } from "./overrides/overrides.ts";
import styles from "./preview.css" with { type: "text" };

/** The mail that is shown: a sample of a type in a language. */
interface PreviewChoice {
  readonly type: EventType;
  readonly sample: string;
  readonly language: string;
}

const recipient = "ana@example.com";
const unsubscribeUrl = "https://example.com/unsubscribe/sample";

/** All types with the names of their samples. */
export const previewable = eventTypes.map((type) => ({
  type,
  samples: samplesOf(type, 0).map(({ name }) => name),
}));

/** The selection of a request; unknown or missing values select the first. */
function parseChoice(
  requested: { readonly type: string; readonly sample: string; readonly language: string },
  languages: readonly string[],
): PreviewChoice {
  const first = previewable[0] ?? { type: "verification_code" as const, samples: [] };
  const { type, samples } = previewable.find((one) => one.type === requested.type) ?? first;
  return {
    type,
    sample: samples.find((name) => name === requested.sample) ?? samples[0] ?? "",
    language: languages.find((tag) => tag === requested.language) ?? languages[0] ?? "en",
  };
}

/** The mail of a sample, as it would be sent at `now`. */
export function renderSample(render: RenderMail, choice: PreviewChoice, now: number): RenderedMail {
  return render(sampleEvent(choice, now), { now, unsubscribeUrl });
}

function sampleEvent({ type, sample, language }: PreviewChoice, now: number): EmailEvent {
  const { data = {} } = samplesOf(type, now).find(({ name }) => name === sample) ?? {};
  const wire = {
    message_id: "preview",
    event_type: type,
    timestamp: new Date(now).toISOString(),
    recipient,
    data: { ...data, locale: language },
  };
  const decoded = decodeEmailEvent(Buffer.from(JSON.stringify(wire)));
  if (decoded.kind === "poison") throw new Error(`the sample is not an event: ${decoded.reason}`);
  return decoded.event;
}

interface PreviewPageOptions {
  readonly choice: PreviewChoice;
  readonly languages: readonly string[];
  readonly mail: RenderedMail;
  readonly problems: readonly TemplateProblem[];
}

const widths = { phone: "Phone, 390 px", desktop: "Desktop, 800 px" } as const;
const schemes = ["light", "dark"] as const;

/** One mail in both widths and both colour schemes, its text and source, and links to the others. */
function previewPage(options: PreviewPageOptions): Response {
  const { choice, mail, problems } = options;
  return pageResponse({
    title: `${choice.type} · ${choice.language}`,
    styles,
    body: () => (
      <div class="preview">
        <Choices {...options} />
        <main>
          {problems.length > 0 && <Problems problems={problems} />}
          <header class="subject">
            <h1 dir="auto">{mail.subject}</h1>
            <p>
              {choice.type}, {choice.sample}, {choice.language} · {kilobytes(mail.html)} KB of HTML
              · {mail.text.length} characters of text
            </p>
          </header>
          <div class="frames phone">
            {schemes.map((scheme) => (
              <Frame choice={choice} width="phone" scheme={scheme} />
            ))}
            <figure class="text">
              <figcaption>Text</figcaption>
              <pre tabindex={0} dir="auto">
                {mail.text}
              </pre>
            </figure>
          </div>
          <div class="frames desktop">
            {schemes.map((scheme) => (
              <Frame choice={choice} width="desktop" scheme={scheme} />
            ))}
          </div>
          <figure class="source">
            <figcaption>HTML source</figcaption>
            <pre tabindex={0}>{mail.html}</pre>
          </figure>
        </main>
      </div>
    ),
  });
}

interface FrameProps {
  readonly choice: PreviewChoice;
  readonly width: keyof typeof widths;
  readonly scheme: (typeof schemes)[number];
}

function Frame({ choice, width, scheme }: FrameProps) {
  const name = `${widths[width]}, ${scheme}`;
  return (
    <figure>
      <figcaption>{name}</figcaption>
      <iframe
        class={width}
        title={name}
        sandbox=""
        src={`/frame${queryOf(choice)}&scheme=${scheme}`}
      />
    </figure>
  );
}

function Choices({ choice, languages }: PreviewPageOptions) {
  return (
    <nav aria-label="Mails">
      <p class="title">Mails</p>
      <ul class="languages" aria-label="Languages">
        {languages.map((language) => (
          <li>
            <Choice to={{ ...choice, language }} chosen={language === choice.language}>
              {nameOf(language)}
            </Choice>
          </li>
        ))}
      </ul>
      {previewable.map(({ type, samples }) => (
        <ul aria-label={type}>
          {samples.map((sample, index) => (
            <li class={index === 0 ? "" : "further"}>
              <Choice
                to={{ ...choice, type, sample }}
                chosen={type === choice.type && sample === choice.sample}
              >
                {index === 0 ? type : sample}
              </Choice>
            </li>
          ))}
        </ul>
      ))}
    </nav>
  );
}

/** "de, Deutsch"; of a language that only the operator's templates are in, its tag. */
function nameOf(tag: string): string {
  return isLanguage(tag) ? `${tag}, ${traitsOf(tag).name}` : tag;
}

interface ChoiceProps {
  readonly to: PreviewChoice;
  readonly chosen: boolean;
  readonly children: string;
}

function Choice({ to, chosen, children }: ChoiceProps) {
  return (
    <a href={`/${queryOf(to)}`} {...(chosen ? { "aria-current": "page" } : {})}>
      {children}
    </a>
  );
}

function Problems({ problems }: { readonly problems: readonly TemplateProblem[] }) {
  return (
    <section class="problems" role="alert">
      <p>No service would start with these templates:</p>
      <ul>
        {problems.map(({ file, line, problem }) => (
          <li>
            <code>{line === undefined ? file : `${file}:${line}`}</code> {problem}
          </li>
        ))}
      </ul>
    </section>
  );
}

function queryOf({ type, sample, language }: PreviewChoice): string {
  return `?${new URLSearchParams({ type, sample, language })}`;
}

function kilobytes(text: string): string {
  return (Buffer.byteLength(text) / 1000).toFixed(1);
}

interface PreviewTemplates {
  readonly render: RenderMail;
  readonly languages: readonly string[];
  /** Problems of the operator's current templates. */
  readonly problems: readonly TemplateProblem[];
}

interface PreviewDeps {
  readonly log: Log;
  readonly now: () => number;
  /** Called for each page, so that it shows the latest saved templates. */
  readonly templates: () => PreviewTemplates;
}

/** The preview of all mails with sample data, only served to this machine. */
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
  const requested = (name: string) => req.query(name) ?? "";
  const named = {
    type: requested("type"),
    sample: requested("sample"),
    language: requested("language"),
  };
  return parseChoice(named, languages);
}

/** The mail as in a mail program with that colour scheme, whatever the browser prefers. */
function inScheme(html: string, scheme: "light" | "dark"): string {
  const condition = /\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)/g;
  return html.replace(condition, (_, wanted) =>
    wanted === scheme ? "(min-width:0px)" : "(max-width:0px)",
  );
}
