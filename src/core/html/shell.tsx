import { raw } from "hono/html";
import type { Child } from "hono/jsx";
import type { JSX } from "hono/jsx/jsx-runtime";
import { randomToken } from "../secret.ts";
import shellStyles from "./shell.css" with { type: "text" };

export interface ShellOptions {
  readonly title: string;
  /** Styles and a script of the page's own, put into it under the nonce. */
  readonly styles?: string;
  readonly script?: string;
  readonly body: (nonce: string) => JSX.Element;
}

/**
 * A whole page that needs nothing from elsewhere, under a policy that runs and shows only what the
 * page itself carries (a fresh nonce a page); it may frame and ask its own origin alone.
 */
export function pageResponse(options: ShellOptions): Response {
  const nonce = randomToken(16);
  const page = (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width,initial-scale=1" />
        <title>{options.title}</title>
        <Style nonce={nonce}>{shellStyles + (options.styles ?? "")}</Style>
      </head>
      <body>
        {options.body(nonce)}
        {options.script !== undefined && <script nonce={nonce}>{raw(options.script)}</script>}
      </body>
    </html>
  );
  return new Response(`<!doctype html>${page.toString()}`, {
    headers: {
      "Content-Type": "text/html; charset=utf-8",
      "Cache-Control": "no-store",
      "Content-Security-Policy": [
        "default-src 'none'",
        `style-src 'nonce-${nonce}'`,
        `script-src 'nonce-${nonce}'`,
        "connect-src 'self'",
        "frame-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
      ].join("; "),
    },
  });
}

function Style({ nonce, children }: { readonly nonce: string; readonly children: Child }) {
  return <style nonce={nonce}>{raw(String(children))}</style>;
}
