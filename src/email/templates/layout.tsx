// The HTML layout of every mail, the blocks it is written in, and the frame that shows one.
import { raw } from "hono/html";
import type { Child } from "hono/jsx";
import { initialOf } from "../../core/html/page.tsx";

const font =
  "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,'Helvetica Neue',Arial,'Hiragino Sans','Yu Gothic UI',Meiryo,sans-serif";

/** For mail programs with a dark mode; all other styles are inline. */
const darkMode = `:root{color-scheme:light dark;supported-color-schemes:light dark}
@media (prefers-color-scheme:dark){
.page{background:#121419!important}.card{background:#1b1e25!important;border-color:#2e333d!important}
.ink{color:#f0f2f5!important}.soft{color:#a3abb9!important}.rule{border-color:#2e333d!important}
.code{background:#262b3b!important;color:#ffffff!important}.facts{background:#22262f!important}
.button,.mark{background:#4264ea!important}.on-accent{color:#ffffff!important}
}
@media (max-width:480px){.inner{padding:28px 22px!important}}`;

/** Pads the preheader, so that mail lists do not show the start of the body after it. */
const blank = raw(`\n${"&#847;&zwnj;&nbsp;".repeat(20)}`.repeat(2));

interface LayoutProps {
  readonly appName: string;
  readonly language: string;
  readonly direction: "ltr" | "rtl";
  readonly title: string;
  readonly preheader: string;
  /** The footer: whom the mail was sent to, and for optional mails the link to decline them. */
  readonly sentTo: string;
  readonly unsubscribe?: { readonly label: string; readonly href: string } | undefined;
  readonly children?: Child;
}

/** The frame around the body of every mail: the name of the application, a card, the footer. */
export function Layout(props: LayoutProps) {
  const { appName, language, direction, title, preheader, children } = props;
  return (
    <html lang={language} dir={direction}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width,initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="x-apple-disable-message-reformatting" />
        <meta name="format-detection" content="telephone=no,date=no,address=no,email=no,url=no" />
        <title>{title}</title>
        <style>{raw(darkMode)}</style>
      </head>
      <body class="page" style="margin:0;padding:0;background:#f4f5f7">
        <div
          aria-hidden="true"
          style="display:none;max-height:0;max-width:0;overflow:hidden;mso-hide:all"
        >
          {preheader}
          {blank}
        </div>
        <table
          role="presentation"
          width="100%"
          cellpadding="0"
          cellspacing="0"
          class="page"
          dir={direction}
          style={`background:#f4f5f7;font-family:${font}`}
        >
          <tr>
            <td align="center" style="padding:32px 12px 40px">
              <table
                role="presentation"
                width="520"
                cellpadding="0"
                cellspacing="0"
                style="width:100%;max-width:520px"
              >
                <Brand appName={appName} />
                <tr>
                  <td
                    class="card inner"
                    align={direction === "ltr" ? "left" : "right"}
                    style="padding:36px;border:1px solid #e1e4ea;border-radius:16px;background:#ffffff"
                  >
                    {children}
                  </td>
                </tr>
                <Footer {...props} />
              </table>
            </td>
          </tr>
        </table>
      </body>
    </html>
  );
}

function Brand({ appName }: { readonly appName: string }) {
  return (
    <tr>
      <td style="padding:0 4px 18px">
        <table role="presentation" cellpadding="0" cellspacing="0">
          <tr>
            <td aria-hidden="true" width="32" valign="top">
              <div
                class="mark on-accent"
                style="width:32px;height:32px;border-radius:9px;background:#2b50d9;color:#ffffff;font-size:18px;line-height:32px;font-weight:650;text-align:center"
              >
                {initialOf(appName)}
              </div>
            </td>
            <td
              class="ink"
              style="padding:0 10px;color:#16181d;font-size:17px;line-height:1.3;font-weight:650;overflow-wrap:anywhere;word-break:break-word"
            >
              {appName}
            </td>
          </tr>
        </table>
      </td>
    </tr>
  );
}

function Footer({ sentTo, unsubscribe }: LayoutProps) {
  return (
    <tr>
      <td
        class="soft"
        align="center"
        style="padding:22px 16px 0;color:#5a6170;font-size:13px;line-height:1.6;overflow-wrap:anywhere;word-break:break-word"
      >
        <p style="margin:0">{sentTo}</p>
        {unsubscribe !== undefined && (
          <p style="margin:0">
            <a class="soft" href={unsubscribe.href} style="color:#5a6170;text-decoration:underline">
              {unsubscribe.label}
            </a>
          </p>
        )}
      </td>
    </tr>
  );
}

/** The HTML of a mail for an iframe: it runs no scripts and loads nothing. */
export function mailFrame(html: string): Response {
  return new Response(html, {
    headers: {
      "Content-Type": "text/html; charset=utf-8",
      "Cache-Control": "no-store",
      "Content-Security-Policy":
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'",
      "X-Frame-Options": "SAMEORIGIN",
    },
  });
}

/**
 * The building blocks of mails. Mail programs support tables and inline styles, and little else;
 * the classes are for dark mode (see layout.tsx). The text part is generated from the same blocks,
 * so each must read well without styles.
 */

const ink = "#16181d";
const soft = "#5a6170";
const mono = "'SF Mono',SFMono-Regular,ui-monospace,Menlo,Consolas,'Liberation Mono',monospace";
/** Long words, such as an address of 320 characters, break instead of widening the mail. */
const breaking = "overflow-wrap:anywhere;word-break:break-word";

interface Children {
  readonly children?: Child;
}

export function Heading({ children }: Children) {
  return (
    <h1
      class="ink"
      style={`margin:0 0 12px;font-size:24px;line-height:1.25;font-weight:650;color:${ink};${breaking}`}
    >
      {children}
    </h1>
  );
}

export function Paragraph({ children }: Children) {
  return (
    <p
      class="ink"
      style={`margin:0 0 20px;font-size:16px;line-height:1.55;color:${ink};${breaking}`}
    >
      {children}
    </p>
  );
}

/** A separated paragraph at the end, which most readers can skip. */
export function Note({ children }: Children) {
  return (
    <p
      class="soft rule"
      style={`margin:28px 0 0;padding:20px 0 0;border-top:1px solid #e1e4ea;font-size:14px;line-height:1.5;color:${soft};${breaking}`}
    >
      {children}
    </p>
  );
}

/**
 * A code to type or copy: the gaps are drawn by the style, so a copied code has none. The wider
 * left padding balances the letter-spacing after the last character. The characters that isolate a
 * value in right-to-left text are not copied either.
 */
export function Code({ children }: Children) {
  return (
    <table
      role="presentation"
      width="100%"
      cellpadding="0"
      cellspacing="0"
      style="margin:0 0 20px;border-collapse:separate"
    >
      <tr>
        <td
          class="code"
          align="center"
          dir="ltr"
          style={`padding:22px 8px 22px 16px;border-radius:12px;background:#eef1fb;color:${ink};font-family:${mono};font-size:36px;line-height:1.2;font-weight:600;letter-spacing:8px;text-align:center;user-select:all;-webkit-user-select:all;overflow-wrap:anywhere`}
        >
          {String(children).replace(/[\u2068\u2069]/g, "")}
        </td>
      </tr>
    </table>
  );
}

/** A link as a button, with its URL below, to be read or copied. */
export function Button({ href, label }: { readonly href: string; readonly label: string }) {
  return (
    <>
      <table role="presentation" cellpadding="0" cellspacing="0" style="margin:4px 0 12px">
        <tr>
          <td class="button" bgcolor="#2b50d9" style="border-radius:10px;background:#2b50d9">
            <a
              class="on-accent"
              href={href}
              style="display:inline-block;padding:13px 26px;border-radius:10px;color:#ffffff;font-size:16px;line-height:1.25;font-weight:600;text-decoration:none"
            >
              {label}
            </a>
          </td>
        </tr>
      </table>
      <p
        class="soft"
        style={`margin:0 0 20px;font-size:13px;line-height:1.5;color:${soft};word-break:break-all`}
      >
        <a class="soft" href={href} dir="ltr" style={`color:${soft};text-decoration:underline`}>
          {href}
        </a>
      </p>
    </>
  );
}

/** A table of `Fact` rows, alike in both directions of text. */
export function Facts({ children }: Children) {
  return (
    <table
      role="presentation"
      width="100%"
      cellpadding="0"
      cellspacing="0"
      class="facts"
      style="margin:0 0 20px;padding:0 6px;border-collapse:separate;border-radius:12px;background:#f4f5f7"
    >
      {children}
    </table>
  );
}

export function Fact({ label, children }: Children & { readonly label: string }) {
  const cell = `font-size:15px;line-height:1.5;vertical-align:top`;
  return (
    <tr>
      <td class="soft" width="1%" style={`padding:10px;color:${soft};white-space:nowrap;${cell}`}>
        {label}
      </td>
      <td class="ink" style={`padding:10px;color:${ink};${cell};${breaking}`}>
        {children}
      </td>
    </tr>
  );
}
