import { ButtonLink } from "../../core/html/controls.tsx";
import { authPage } from "./auth-page.tsx";

interface MessagePageOptions {
  readonly appName: string;
  readonly words: { readonly title: string; readonly text: string; readonly button: string };
  /** What the text ends with, to be copied. */
  readonly reference?: string | undefined;
  /** Where the button leads. */
  readonly href: string;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A page that only says something, and where to go on. */
export function messagePage({ words, reference, href, ...rest }: MessagePageOptions): Response {
  return authPage({
    ...rest,
    title: words.title,
    width: "narrow",
    content: (
      <div class="card stack">
        <h1>{words.title}</h1>
        <p class="lead">
          {words.text}
          {reference !== undefined && <code class="reference">{reference}</code>}
        </p>
        <ButtonLink href={href} look="main" wide>
          {words.button}
        </ButtonLink>
      </div>
    ),
  });
}
