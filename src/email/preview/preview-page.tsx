import { pageResponse } from "../../core/html/shell.tsx";
import type { RenderedMail } from "../templates/mail-renderer.ts";
import type { TemplateProblem } from "../templates/overrides/operator-text.ts";
import styles from "./preview.css" with { type: "text" };
import type { PreviewChoice } from "./preview-mail.ts";
import { previewable } from "./preview-mail.ts";

export interface PreviewPageOptions {
  readonly choice: PreviewChoice;
  readonly languages: readonly string[];
  readonly mail: RenderedMail;
  readonly problems: readonly TemplateProblem[];
}

const widths = { phone: "Phone, 390 px", desktop: "Desktop, 800 px" } as const;
const schemes = ["light", "dark"] as const;

/** One mail at a glance: on both widths in both modes, its text, its source; and links to the others. */
export function previewPage(options: PreviewPageOptions): Response {
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
            <h1>{mail.subject}</h1>
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
              <pre tabindex={0}>{mail.text}</pre>
            </figure>
          </div>
          <div class="frames desktop">
            {schemes.map((scheme) => (
              <Frame choice={choice} width="desktop" scheme={scheme} />
            ))}
          </div>
          <figure class="source">
            <figcaption>Source of the HTML</figcaption>
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
              {language}
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
      <p>A service would not start with these templates:</p>
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
