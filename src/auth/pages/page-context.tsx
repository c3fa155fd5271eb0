// What every page is made of: frame, flash messages, and the redirect to sign in.
import type { Child } from "hono/jsx";
import { createContext, useContext } from "hono/jsx";
import type { ErrorRow } from "../../core/errors.ts";
import controlsStyles from "../../core/html/controls.css" with { type: "text" };
import frameStyles from "../../core/html/frame.css" with { type: "text" };
import liveFormsScript from "../../core/html/live-forms.client.js" with { type: "text" };
import { ButtonLink, Frame, Notice, pageResponse } from "../../core/html/page.tsx";
import textStyles from "../../core/html/text.css" with { type: "text" };
import waitForScript from "../../core/html/wait-for.client.js" with { type: "text" };
import { pageLanguage } from "../../core/http/page-language.ts";
import type { Failure, HttpContext } from "../../core/http/problem.ts";
import { describeFailure } from "../../core/http/problem.ts";
import type { AuthDeps } from "../auth-deps.ts";
import { authErrors } from "../schemas.ts";
import { clearSessionCookie, sessionTokens } from "../session-routes.ts";
import codeFieldScript from "./code-field.client.js" with { type: "text" };
import type { FailedName } from "./languages/en.ts";
import { english } from "./languages/en.ts";
import type { PageLanguage } from "./page-language.ts";
import { pageLanguageOf } from "./page-language.ts";
import type { Flash, FlashPlace } from "./page-state.ts";
import { accountSwitched, setFlash, shownForField } from "./page-state.ts";
import styles from "./pages.css" with { type: "text" };

/** What pages need in addition to the use cases. */
export interface PageDeps extends AuthDeps {
  /** The application's name. */
  readonly appName: string;
  /** The URL of the e-mail preferences of this address; undefined if there are none. */
  readonly preferencesPath?: (email: string) => string;
  /** The inbox on a developer's machine; undefined where mails are really sent. */
  readonly inboxUrl?: string | undefined;
}

/** What a page is written with: whose it is, and the language of its reader. */
export interface PageView extends PageLanguage {
  readonly appName: string;
  /** Unix ms. */
  readonly now: number;
  /** Where the page is in another language: the answer to a form is not repeated. */
  readonly languagePath: string;
}

export function pageViewOf(context: HttpContext, deps: PageDeps): PageView {
  return {
    ...pageLanguageOf(pageLanguage(context, deps.fallbackLanguage)),
    appName: deps.appName,
    now: deps.clock.now(),
    languagePath: context.req.method === "GET" ? "" : "/",
  };
}

/**
 * Runs the use case of a form. Undefined on success, else the problem, logged as for an API call.
 */
export async function attempt(
  context: HttpContext,
  { log }: PageDeps,
  work: () => Promise<unknown>,
): Promise<Failure | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return describeFailure(error, context, log);
  }
}

/**
 * The redirect after a form of a tab that is out of date: to sign in, or to the account that is
 * signed in by now. Undefined for any other failure.
 */
export function leaveStaleTab(
  context: HttpContext,
  deps: PageDeps,
  { row }: Failure,
): Response | undefined {
  if (row.code === authErrors.unauthenticated.code) return toSignIn(context, deps);
  if (row.code !== accountSwitched.code) return undefined;
  setFlash(context, deps, { place: "account", failed: "account_switched" });
  return context.redirect("/account", 303);
}

/** Redirects to the first page, with a notice if the browser still has a session's cookie. */
export function toSignIn(context: HttpContext, deps: PageDeps): Response {
  if (sessionTokens(context, deps).length > 0) {
    clearSessionCookie(context, deps);
    setFlash(context, deps, { place: "sign_in", failed: "unauthenticated" });
  }
  return context.redirect("/", 303);
}

const ShownFor = createContext("");

interface FormProps {
  readonly action: string;
  readonly class?: string;
  readonly children?: Child;
}

/** A form; it sends back whom its page was shown for, because another tab may switch accounts. */
export function Form({ action, children, ...rest }: FormProps) {
  const shownFor = useContext(ShownFor);
  return (
    <form {...rest} method="post" action={action} novalidate>
      {shownFor !== "" && <input type="hidden" name={shownForField} value={shownFor} />}
      {children}
    </form>
  );
}

export const iconPath = "/icon.svg";

interface AuthPageOptions {
  readonly view: PageView;
  readonly title: string;
  readonly width: "narrow" | "wide";
  readonly aside?: Child;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Signed; nobody in particular when left out. */
  readonly shownFor?: string;
  readonly content: Child;
}

/**
 * The pages of sign-in share all styles and scripts, so that a script can replace one page by
 * another.
 */
export function authPage(options: AuthPageOptions): Response {
  const { title, view, width, aside, shownFor = "", content, ...rest } = options;
  const { appName, language, messages, languagePath } = view;
  const languages = { current: language, path: languagePath };
  return pageResponse({
    ...rest,
    language,
    title: `${title} · ${appName}`,
    icon: iconPath,
    styles: controlsStyles + frameStyles + textStyles + styles,
    scripts: [codeFieldScript, waitForScript, liveFormsScript],
    body: () => (
      <>
        <ShownFor.Provider value={shownFor}>
          <Frame appName={appName} width={width} aside={aside} languages={languages}>
            {content}
            <template data-unsent>
              <Notice tone="failed">
                <p>{messages.unsent}</p>
              </Notice>
            </template>
          </Frame>
        </ShownFor.Provider>
        <p class="unseen" role="status" data-spoken />
      </>
    ),
  });
}

/** The result of the last form: a notice above the section, or an error at the field. */
export interface PlacedFlash {
  readonly done?: string;
  readonly failed?: string;
  readonly typed?: string;
}

export function flashAt(
  { messages, now, later }: PageView,
  flash: Flash | undefined,
  place: FlashPlace,
): PlacedFlash {
  if (flash?.place !== place) return {};
  return {
    ...(flash.done === undefined ? {} : { done: messages.done[flash.done] }),
    ...(flash.failed === undefined
      ? {}
      : { failed: messages.failed[flash.failed](later((flash.until ?? now) - now)) }),
    ...(flash.typed === undefined ? {} : { typed: flash.typed }),
  };
}

/** The same errors as notices, where there is no field. */
export function FlashView({ flash }: { readonly flash: PlacedFlash }) {
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
  readonly view: PageView;
  readonly messages: { readonly title: string; readonly text: string; readonly button: string };
  /** Appended to the text, to be copied. */
  readonly reference?: string | undefined;
  /** The target of the button. */
  readonly href: string;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A page with a message and a link. */
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

interface FailedPlace {
  readonly place: FlashPlace;
  /** The message for an invalid field. */
  readonly invalid: FailedName;
  readonly now: number;
}

/** The flash with the reason why a form failed. */
export function failureFlash(failure: Failure, { place, invalid, now }: FailedPlace): Flash {
  const { row, retryAfterSeconds } = failure;
  return {
    place,
    failed: failedName(row, invalid),
    ...(retryAfterSeconds === undefined ? {} : { until: now + retryAfterSeconds * 1000 }),
  };
}

function failedName({ code, status }: ErrorRow, invalid: FailedName): FailedName {
  if (code === "validation_failed") return invalid;
  if (isFailedName(code)) return code;
  return status === 503 ? "unavailable" : "unexpected";
}

function isFailedName(code: string): code is FailedName {
  return Object.hasOwn(english.failed, code);
}
