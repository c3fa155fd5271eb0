import type { Child } from "hono/jsx";
import controlsStyles from "../../core/html/controls.css" with { type: "text" };
import { Button, Notice } from "../../core/html/controls.tsx";
import frameStyles from "../../core/html/frame.css" with { type: "text" };
import { Frame, pageResponse } from "../../core/html/shell.tsx";
import textStyles from "../../core/html/text.css" with { type: "text" };
import type { OptionalType } from "../event.ts";
import { optionalTypes } from "../event.ts";
import type { Preferences } from "./preference-store.ts";
import styles from "./preferences-page.css" with { type: "text" };
import type { GrantedType } from "./unsubscribe-link.ts";

/** Everything a person reads on the page of the preferences, in one place. */
const messages = {
  title: "E-mails you get",
  lead: (appName: string) =>
    `Choose which mails ${appName} may send to the address that this link was sent to.`,
  types: {
    welcome: { title: "Welcome", text: "One mail when your account is made." },
    sign_in_notice: { title: "Sign-ins", text: "A mail when somebody signs in to your account." },
  } satisfies Record<OptionalType, { title: string; text: string }>,
  all: "all of these mails",
  stop: (title: string) => `Unsubscribe from “${title}”`,
  choose: "Mails that you can decline",
  save: "Save",
  always: "Codes to sign in with, and mails that you ask for, are always sent.",
  unsubscribed: (title: string) => `You are unsubscribed from “${title}”. It takes effect at once.`,
  saved: "Saved. It takes effect at once.",
  old: {
    title: "This link is too old",
    text: "Links in mails are good for a year. Use the link in a newer mail.",
  },
  forged: {
    title: "This link is not complete",
    text: "Nothing was changed. Open the link in the mail again; if you copied it, copy all of it.",
  },
  unclear: {
    title: "Nothing was changed",
    text: "What was sent is not what this page sends. Go back, and try it again.",
  },
  unavailable: {
    title: "Back in a moment",
    text: "What you chose could not be saved or read right now, and nothing was changed. Try again in a few seconds.",
  },
} as const;

/** The fields of the page's forms; the first is that of RFC 8058, which mail programs send. */
export const oneClickField = "List-Unsubscribe";
export const oneClickValue = "One-Click";
export const chooseField = "choose";

interface PreferencesPageOptions {
  readonly appName: string;
  readonly preferences: Preferences;
  /** The type of the mail that the link stood in. */
  readonly type: GrantedType;
  readonly done?: "unsubscribed" | "saved" | undefined;
}

/** What somebody gets, and both ways to change it. It names no address: the link may be passed on. */
export function preferencesPage(options: PreferencesPageOptions): Response {
  const { appName, preferences, type, done } = options;
  const title = type === "all" ? messages.all : messages.types[type].title;
  const wanted = type !== "all" && preferences[type];
  return page({
    appName,
    title: messages.title,
    content: (
      <>
        {done !== undefined && (
          <Notice tone="done">
            <p>{done === "saved" ? messages.saved : messages.unsubscribed(title)}</p>
          </Notice>
        )}
        <p class="lead">{messages.lead(appName)}</p>
        {wanted && done === undefined && (
          <form method="post">
            <input type="hidden" name={oneClickField} value={oneClickValue} />
            <Button variant="main" wide>
              {messages.stop(title)}
            </Button>
          </form>
        )}
        <form method="post" class="stack">
          <input type="hidden" name={chooseField} value="yes" />
          <fieldset class="mails">
            <legend>{messages.choose}</legend>
            {optionalTypes.map((one) => (
              <TypeBox type={one} wanted={preferences[one]} />
            ))}
          </fieldset>
          <p>
            <Button variant="plain">{messages.save}</Button>
          </p>
        </form>
        <p class="hint">{messages.always}</p>
      </>
    ),
  });
}

function TypeBox({ type, wanted }: { readonly type: OptionalType; readonly wanted: boolean }) {
  const { title, text } = messages.types[type];
  return (
    <label class="mail-type">
      <input type="checkbox" name={type} value="yes" checked={wanted} />
      <strong>{title}</strong>
      <span class="hint">{text}</span>
    </label>
  );
}

const statuses = { old: 410, forged: 400, unclear: 400, unavailable: 503 } as const;

/** A page that only says why nothing was done. */
export function refusalPage(appName: string, why: keyof typeof statuses): Response {
  const { title, text } = messages[why];
  const headers: Record<string, string> = why === "unavailable" ? { "Retry-After": "5" } : {};
  const content = <p class="lead">{text}</p>;
  return page({ appName, title, status: statuses[why], headers, content });
}

interface PageOptions {
  readonly appName: string;
  readonly title: string;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly content: Child;
}

function page({ appName, title, content, headers = {}, ...rest }: PageOptions): Response {
  return pageResponse({
    ...rest,
    title: `${title} · ${appName}`,
    headers: { ...headers, "X-Robots-Tag": "noindex" },
    styles: controlsStyles + frameStyles + textStyles + styles,
    body: () => (
      <Frame appName={appName} width="narrow">
        <div class="card stack">
          <h1>{title}</h1>
          {content}
        </div>
      </Frame>
    ),
  });
}
