import type { Child } from "hono/jsx";

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
      style={`margin:0 0 12px;font-size:24px;line-height:1.25;font-weight:650;letter-spacing:-0.01em;color:${ink};${breaking}`}
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
 * left padding balances the letter-spacing after the last character.
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
          {children}
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
        <a class="soft" href={href} style={`color:${soft};text-decoration:underline`}>
          {href}
        </a>
      </p>
    </>
  );
}

/** A table of `Fact` rows. */
export function Facts({ children }: Children) {
  return (
    <table
      role="presentation"
      width="100%"
      cellpadding="0"
      cellspacing="0"
      class="facts"
      style="margin:0 0 20px;border-collapse:separate;border-radius:12px;background:#f4f5f7"
    >
      {children}
    </table>
  );
}

export function Fact({ label, children }: Children & { readonly label: string }) {
  const cell = `font-size:15px;line-height:1.5;vertical-align:top`;
  return (
    <tr>
      <td
        class="soft"
        width="1%"
        style={`padding:10px 10px 10px 16px;color:${soft};white-space:nowrap;${cell}`}
      >{`${label}:`}</td>
      <td class="ink" style={`padding:10px 16px 10px 8px;color:${ink};${cell};${breaking}`}>
        {children}
      </td>
    </tr>
  );
}
