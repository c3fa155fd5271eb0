import type { Child } from "hono/jsx";
import controlsStyles from "../../core/html/controls.css" with { type: "text" };
import { Notice } from "../../core/html/controls.tsx";
import frameStyles from "../../core/html/frame.css" with { type: "text" };
import { Frame } from "../../core/html/frame.tsx";
import liveFormsScript from "../../core/html/live-forms.client.js" with { type: "text" };
import { pageResponse } from "../../core/html/shell.tsx";
import textStyles from "../../core/html/text.css" with { type: "text" };
import waitForScript from "../../core/html/wait-for.client.js" with { type: "text" };
import codeFieldScript from "./code-field.client.js" with { type: "text" };
import styles from "./pages.css" with { type: "text" };
import { words } from "./words.ts";

export const iconPath = "/icon.svg";

export interface AuthPageOptions {
  readonly appName: string;
  readonly title: string;
  readonly width: "narrow" | "wide";
  readonly aside?: Child;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly content: Child;
}

/** A page of sign-in: all share their styles and scripts, so that one can take another's place. */
export function authPage({ title, appName, width, aside, content, ...rest }: AuthPageOptions) {
  return pageResponse({
    ...rest,
    title: `${title} · ${appName}`,
    icon: iconPath,
    styles: controlsStyles + frameStyles + textStyles + styles,
    scripts: [codeFieldScript, waitForScript, liveFormsScript],
    body: () => (
      <>
        <Frame appName={appName} width={width} aside={aside}>
          {content}
        </Frame>
        <template data-unsent>
          <Notice tone="failed">
            <p>{words.unsent}</p>
          </Notice>
        </template>
        <p class="unseen" role="status" data-spoken />
      </>
    ),
  });
}
