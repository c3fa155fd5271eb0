import { raw } from "hono/html";
import type { Child } from "hono/jsx";
import { initialOf } from "../../core/html/shell.tsx";

const font = "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif";

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
