import type { Child } from "hono/jsx";
import controlsStyles from "../../core/html/controls.css" with { type: "text" };
import { ButtonLink, Notice } from "../../core/html/controls.tsx";
import frameStyles from "../../core/html/frame.css" with { type: "text" };
import liveFormsScript from "../../core/html/live-forms.client.js" with { type: "text" };
import { Frame, pageResponse } from "../../core/html/shell.tsx";
import textStyles from "../../core/html/text.css" with { type: "text" };
import waitForScript from "../../core/html/wait-for.client.js" with { type: "text" };
import type { ApiProblem } from "./api-client.ts";
import codeFieldScript from "./code-field.client.js" with { type: "text" };
import type { FailedName } from "./messages.ts";
import { formatLeft, messages } from "./messages.ts";
import type { Flash, FlashPlace } from "./page-context.ts";
import styles from "./pages.css" with { type: "text" };

export const iconPath = "/icon.svg";

interface AuthPageOptions {
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
            <p>{messages.unsent}</p>
          </Notice>
        </template>
        <p class="unseen" role="status" data-spoken />
      </>
    ),
  });
}

/** What a page shows of the last form: a notice above its place, or an error at its field. */
export interface PlacedFlash {
  readonly done?: string;
  readonly failed?: string;
  readonly typed?: string;
}

export function flashAt(flash: Flash | undefined, place: FlashPlace, now: number): PlacedFlash {
  if (flash?.place !== place) return {};
  return {
    ...(flash.done === undefined ? {} : { done: messages.done[flash.done] }),
    ...(flash.failed === undefined
      ? {}
      : { failed: messages.failed[flash.failed](formatLeft((flash.until ?? now) - now)) }),
    ...(flash.typed === undefined ? {} : { typed: flash.typed }),
  };
}

/** Both kinds, where there is no field that an error belongs to. */
export function FlashView({ note: flash }: { readonly note: PlacedFlash }) {
  const { done, failed } = flash;
  return (
    <>
      {done !== undefined && (
        <Notice tone="done">
          <p>{done}</p>
        </Notice>
      )}
      {failed !== undefined && (
        <Notice tone="failed">
          <p>{failed}</p>
        </Notice>
      )}
    </>
  );
}

interface MessagePageOptions {
  readonly appName: string;
  readonly messages: { readonly title: string; readonly text: string; readonly button: string };
  /** What the text ends with, to be copied. */
  readonly reference?: string | undefined;
  /** Where the button leads. */
  readonly href: string;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A page that only says something, and where to go on. */
export function messagePage({ messages, reference, href, ...rest }: MessagePageOptions): Response {
  return authPage({
    ...rest,
    title: messages.title,
    width: "narrow",
    content: (
      <div class="card stack">
        <h1>{messages.title}</h1>
        <p class="lead">
          {messages.text}
          {reference !== undefined && <code class="reference">{reference}</code>}
        </p>
        <ButtonLink href={href} variant="main" wide>
          {messages.button}
        </ButtonLink>
      </div>
    ),
  });
}

interface Failure {
  readonly place: FlashPlace;
  /** What is said of a field that does not fit. */
  readonly invalid: FailedName;
  readonly now: number;
}

/** A problem of the API as the note that tells a person of it. */
export function failureFlash(problem: ApiProblem, { place, invalid, now }: Failure): Flash {
  const { retryAfterSeconds } = problem;
  return {
    place,
    failed: failedName(problem, invalid),
    ...(retryAfterSeconds === undefined ? {} : { until: now + retryAfterSeconds * 1000 }),
  };
}

function failedName({ code, status }: ApiProblem, invalid: FailedName): FailedName {
  if (code === "validation_failed") return invalid;
  if (isFailedName(code)) return code;
  return status === 503 ? "unavailable" : "unexpected";
}

function isFailedName(code: string): code is FailedName {
  return Object.hasOwn(messages.failed, code);
}
