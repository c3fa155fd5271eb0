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

/** All messages of the preferences page. */
const messages = {
  title: "E-mail preferences",
  lead: (appName: string) =>
    `Choose which e-mails ${appName} may send to the address that this link belongs to.`,
  types: {
    welcome: { title: "Welcome", text: "One e-mail when your account is created." },
    sign_in_notice: { title: "Sign-ins", text: "An e-mail when someone signs in to your account." },
  } satisfies Record<OptionalType, { title: string; text: string }>,
  nameOf: (title: string) => `“${title}”`,
  all: "all optional e-mails",
  unsubscribe: (name: string) => `Unsubscribe from ${name}`,
  choose: "Optional e-mails",
  save: "Save",
  always: "Sign-in codes, and other e-mails that you request, are always sent.",
  unsubscribed: (name: string) =>
    `You are unsubscribed from ${name}. The change takes effect at once.`,
  saved: "Saved. The change takes effect at once.",
  old: {
    title: "This link has expired",
    text: "Links in e-mails are valid for a year. Use the link in a more recent e-mail.",
  },
  forged: {
    title: "This link is incomplete",
    text: "Nothing was changed. Open the link in the e-mail again; if you copied it, make sure that you copied all of it.",
  },
  unclear: {
    title: "Nothing was changed",
    text: "The request did not come from the form on this page. Go back and try again.",
  },
  unavailable: {
    title: "Back in a moment",
    text: "Your preferences are unavailable right now, and nothing was changed. Try again in a few seconds.",
  },
} as const;

/** The fields of the page's forms. The first is the one of RFC 8058, which mail programs send too. */
export const oneClickField = "List-Unsubscribe";
export const oneClickValue = "One-Click";
export const chooseField = "choose";

interface PreferencesPageOptions {
  readonly appName: string;
  readonly preferences: Preferences;
  /** The type of the mail with the link. */
  readonly type: GrantedType;
  readonly done?: "unsubscribed" | "saved" | undefined;
}

/**
 * The preferences, and both ways to change them. Shows no address, because the link may be
 * forwarded.
 */
export function preferencesPage(options: PreferencesPageOptions): Response {
  const { appName, preferences, type, done } = options;
  const name = type === "all" ? messages.all : messages.nameOf(messages.types[type].title);
  const isWanted = type !== "all" && preferences[type];
  return page({
    appName,
    title: messages.title,
    content: (
      <>
        {done !== undefined && (
          <Notice tone="done">
            <p>{done === "saved" ? messages.saved : messages.unsubscribed(name)}</p>
          </Notice>
        )}
        <p class="lead">{messages.lead(appName)}</p>
        {isWanted && done === undefined && (
          <form method="post">
            <input type="hidden" name={oneClickField} value={oneClickValue} />
            <Button variant="main" wide>
              {messages.unsubscribe(name)}
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

/** A page with the reason why nothing was done. */
export function refusalPage(appName: string, reason: keyof typeof statuses): Response {
  const { title, text } = messages[reason];
  const headers: Record<string, string> = reason === "unavailable" ? { "Retry-After": "5" } : {};
  const content = <p class="lead">{text}</p>;
  return page({ appName, title, status: statuses[reason], headers, content });
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
