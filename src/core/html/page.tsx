// Pages: the shell with its Content-Security-Policy, the frame, and form controls.
import { raw } from "hono/html";
import type { Child } from "hono/jsx";
import type { JSX } from "hono/jsx/jsx-runtime";
import { languageLink } from "../http/page-language.ts";
import type { Language } from "../languages.ts";
import { languageTags, traitsOf } from "../languages.ts";
import { randomToken } from "../secret.ts";
import shellStyles from "./shell.css" with { type: "text" };

interface FrameProps {
  readonly appName: string;
  /** `narrow`: one card in the middle; `wide`: a page of several. */
  readonly width: "narrow" | "wide";
  /** At the right end of the bar. */
  readonly aside?: Child;
  /** The languages that the page can be read in, below the main part; none when left out. */
  readonly languages?: LanguageSwitchProps;
  readonly children?: Child;
}

/** The layout of every page: a bar with the application's name, linked to home, and the main part. */
export function Frame({ appName, width, aside, languages, children }: FrameProps) {
  return (
    <div class={`frame ${width}`}>
      <header class="bar">
        <a class="brand" href="/">
          <span class="brand-mark" aria-hidden="true">
            {initialOf(appName)}
          </span>
          {appName}
        </a>
        {aside}
      </header>
      <main>{children}</main>
      {languages !== undefined && <LanguageSwitch {...languages} />}
    </div>
  );
}

interface LanguageSwitchProps {
  /** The language of the page. */
  readonly current: Language;
  /** The path of the page in another language; "" for this one. */
  readonly path: string;
}

function LanguageSwitch({ current, path }: LanguageSwitchProps) {
  return (
    <footer class="languages">
      <nav aria-label={traitsOf(current).listLabel}>
        <ul>
          {languageTags.map((tag) => {
            const { name, locale, direction } = traitsOf(tag);
            return (
              <li>
                <a
                  href={languageLink(path, tag)}
                  lang={locale}
                  hreflang={locale}
                  dir={direction}
                  {...(tag === current ? { "aria-current": "true" } : {})}
                >
                  {name}
                </a>
              </li>
            );
          })}
        </ul>
      </nav>
    </footer>
  );
}

/** The favicon, an SVG: the initial on the accent colour. */
export function frameIcon(appName: string): string {
  const initial = initialOf(appName).replace(/[<>&]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="9" fill="#2b50d9"/><text x="16" y="22.5" text-anchor="middle" font-family="system-ui,sans-serif" font-size="19" font-weight="650" fill="#fff">${initial}</text></svg>`;
}

/** The first grapheme, which may be an emoji of several code points. */
export function initialOf(appName: string): string {
  const [first] = new Intl.Segmenter("en").segment(appName.trim());
  return first?.segment ?? "";
}

interface ShellOptions {
  readonly title: string;
  /** The person's language, where pages have it; operators' pages are in English. */
  readonly language?: Language;
  /** 200 when left out. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** The path of the page's icon, an SVG. */
  readonly icon?: string;
  /** The page's own styles and scripts (ES modules), inlined with the nonce. */
  readonly styles?: string;
  readonly scripts?: readonly string[];
  readonly body: () => JSX.Element;
}

/** Without an icon browsers request /favicon.ico. */
const noIcon = "data:,";

/**
 * A self-contained page under a Content-Security-Policy that allows only its own inline styles and
 * scripts (a fresh nonce per page) and connections, frames, images and forms of its own origin.
 */
export function pageResponse(options: ShellOptions): Response {
  const nonce = randomToken(16);
  const { title, language, icon, styles = "", scripts = [] } = options;
  const { locale, direction } = traitsOf(language ?? "en");
  const page = (
    <html lang={locale} dir={direction}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width,initial-scale=1" />
        <title>{title}</title>
        <link rel="icon" type="image/svg+xml" href={icon ?? noIcon} />
        <Style nonce={nonce}>{shellStyles + styles}</Style>
      </head>
      <body>
        {options.body()}
        {scripts.map((script) => (
          <script type="module" nonce={nonce}>
            {raw(script)}
          </script>
        ))}
      </body>
    </html>
  );
  return new Response(`<!doctype html>${page.toString()}`, {
    status: options.status ?? 200,
    headers: {
      ...options.headers,
      ...headers(nonce),
      "Content-Language": locale,
      ...(language === undefined ? {} : { Vary: "Accept-Language, Cookie" }),
    },
  });
}

function headers(nonce: string): Record<string, string> {
  return {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin", // without a referrer browsers call a form's origin "null"
    "Content-Security-Policy": [
      "default-src 'none'",
      `style-src 'nonce-${nonce}'`,
      `script-src 'nonce-${nonce}'`,
      "connect-src 'self'",
      "img-src 'self' data:",
      "frame-src 'self'",
      "form-action 'self'",
      "base-uri 'none'",
      "frame-ancestors 'none'",
    ].join("; "),
  };
}

function Style({ nonce, children }: { readonly nonce: string; readonly children: Child }) {
  return <style nonce={nonce}>{raw(String(children))}</style>;
}

/** Form controls: buttons, a field with its hint and error, a notice. */

type ButtonVariant = "main" | "plain" | "danger" | "danger-plain" | "link";

interface ButtonProps {
  readonly variant: ButtonVariant;
  readonly wide?: boolean;
  /** For screen readers, when the label is clear only in its surroundings. */
  readonly spoken?: string | undefined;
  readonly children?: Child;
}

function buttonClass({ variant, wide }: Pick<ButtonProps, "variant" | "wide">): string {
  return `button button-${variant}${wide ? " button-wide" : ""}`;
}

/** Submits its form. */
export function Button({ variant, wide = false, spoken, children }: ButtonProps) {
  return (
    <button type="submit" class={buttonClass({ variant, wide })} aria-label={spoken}>
      {children}
    </button>
  );
}

/** A link that looks like a button. */
export function ButtonLink({
  href,
  variant,
  wide = false,
  children,
}: ButtonProps & { readonly href: string }) {
  return (
    <a href={href} class={buttonClass({ variant, wide })}>
      {children}
    </a>
  );
}

interface FieldProps {
  /** The input's id; those of its hint and error are derived from it. */
  readonly id: string;
  readonly label: string;
  readonly hint?: string | undefined;
  readonly error?: string | undefined;
  /** Renders the input; the attributes link it to its hint and error. */
  readonly input: (attributes: FieldAttributes) => JSX.Element;
}

export interface FieldAttributes {
  readonly id: string;
  readonly "aria-invalid"?: "true";
  readonly "aria-describedby"?: string;
}

export function Field({ id, label, hint, error, input }: FieldProps) {
  const describedBy = [
    ...(error === undefined ? [] : [`${id}-error`]),
    ...(hint === undefined ? [] : [`${id}-hint`]),
  ].join(" ");
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {input({
        id,
        ...(error === undefined ? {} : { "aria-invalid": "true" }),
        ...(describedBy === "" ? {} : { "aria-describedby": describedBy }),
      })}
      {error !== undefined && (
        <p class="error" id={`${id}-error`}>
          <Sign of="failed" />
          <span>{error}</span>
        </p>
      )}
      {hint !== undefined && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}

type Tone = "done" | "failed" | "plain";

interface NoticeProps {
  readonly tone: Tone;
  readonly children?: Child;
}

/** The result of the last action; focusable, so that screen readers announce it. */
export function Notice({ tone, children }: NoticeProps) {
  return (
    <div
      class={`notice notice-${tone}`}
      role={tone === "failed" ? "alert" : "status"}
      tabindex={-1}
    >
      <Sign of={tone} />
      <div>{children}</div>
    </div>
  );
}

const signs: Readonly<Record<Tone, string>> = {
  done: "M8 0a8 8 0 1 1 0 16A8 8 0 0 1 8 0Zm3.6 4.6-4.7 4.8-2.4-2.3-1.4 1.4 3.8 3.8 6.1-6.2Z",
  failed: "M8 0a8 8 0 1 1 0 16A8 8 0 0 1 8 0ZM7 3.5v5.5h2V3.5Zm0 7v2h2v-2Z",
  plain: "M8 0a8 8 0 1 1 0 16A8 8 0 0 1 8 0ZM7 7v5.5h2V7Zm0-3.5v2h2v-2Z",
};

function Sign({ of }: { readonly of: Tone }) {
  return (
    <svg class="sign" viewBox="0 0 16 16" aria-hidden="true">
      <path fill-rule="evenodd" d={signs[of]} />
    </svg>
  );
}
