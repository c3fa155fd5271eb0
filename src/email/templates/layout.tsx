import { raw } from "hono/html";
import type { Child } from "hono/jsx";

const font = "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";

/** Colours that mail clients with a dark mode may take; all else is inline. */
const darkMode = `:root{color-scheme:light dark;supported-color-schemes:light dark}
@media (prefers-color-scheme:dark){.page{background:#16181d!important}.card{background:#22252c!important;border-color:#343842!important}
.ink{color:#f2f3f5!important}.soft{color:#a9afbb!important}.code{background:#2f343e!important;color:#fff!important}}`;

interface LayoutProps {
  readonly appName: string;
  readonly title: string;
  /** The line that mail lists show behind the subject. */
  readonly preheader: string;
  readonly children?: Child;
}

/** The frame of every mail: tables and inline styles, since mail clients know little else. */
export function Layout({ appName, title, preheader, children }: LayoutProps) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width,initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{title}</title>
        <style>{raw(darkMode)}</style>
      </head>
      <body class="page" style="margin:0;padding:0;background:#f3f4f6">
        <div style="display:none;max-height:0;overflow:hidden">{preheader}</div>
        <table
          role="presentation"
          width="100%"
          cellpadding="0"
          cellspacing="0"
          class="page"
          style="background:#f3f4f6"
        >
          <tr>
            <td align="center" style="padding:32px 16px">
              <table
                role="presentation"
                width="100%"
                cellpadding="0"
                cellspacing="0"
                class="card"
                style={`max-width:480px;background:#ffffff;border:1px solid #e4e6eb;border-radius:12px;font-family:${font}`}
              >
                <tr>
                  <td style="padding:32px;text-align:left">
                    <p class="soft" style="margin:0 0 20px;font-size:14px;color:#5c6370">
                      {appName}
                    </p>
                    {children}
                  </td>
                </tr>
              </table>
            </td>
          </tr>
        </table>
      </body>
    </html>
  );
}

export function Heading({ children }: { readonly children?: Child }) {
  return (
    <h1
      class="ink"
      style="margin:0 0 12px;font-size:22px;line-height:1.3;font-weight:600;color:#14161a"
    >
      {children}
    </h1>
  );
}

export function Paragraph({ soft, children }: { readonly soft?: boolean; children?: Child }) {
  const colour = soft ? "#5c6370" : "#14161a";
  return (
    <p
      class={soft ? "soft" : "ink"}
      style={`margin:0 0 16px;font-size:${soft ? 14 : 16}px;line-height:1.5;color:${colour}`}
    >
      {children}
    </p>
  );
}

export function Button({ href, label }: { readonly href: string; readonly label: string }) {
  return (
    <p style="margin:8px 0 24px">
      <a
        href={href}
        style="display:inline-block;padding:12px 24px;border-radius:8px;background:#2b50d9;color:#ffffff;font-size:16px;font-weight:600;text-decoration:none"
      >
        {label}
      </a>
    </p>
  );
}
