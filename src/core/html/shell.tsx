import { raw } from "hono/html";
import type { Child } from "hono/jsx";
import type { JSX } from "hono/jsx/jsx-runtime";
import { randomToken } from "../secret.ts";
import shellStyles from "./shell.css" with { type: "text" };

interface FrameProps {
  readonly appName: string;
  /** `narrow`: one card in the middle; `wide`: a page of several. */
  readonly width: "narrow" | "wide";
  /** At the right end of the bar. */
  readonly aside?: Child;
  readonly children?: Child;
}

/** The layout of every page: a bar with the application's name, linked to home, and the main part. */
export function Frame({ appName, width, aside, children }: FrameProps) {
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
    </div>
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
  const { title, icon, styles = "", scripts = [] } = options;
  const page = (
    <html lang="en">
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
    headers: { ...options.headers, ...headers(nonce) },
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
