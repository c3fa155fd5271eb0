// What every page is made of: cookies, frame, flash messages, and the redirect to sign in.
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import type { Child } from "hono/jsx";
import { z } from "zod";
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
import { signText, verifyText } from "../../core/secret.ts";
import type { AuthDeps } from "../auth-deps.ts";
import { codePurposes } from "../codes/code-store.ts";
import { authErrors } from "../schemas.ts";
import { clearSessionCookie, cookieAttributes, sessionTokens } from "../session-routes.ts";
import codeFieldScript from "./code-field.client.js" with { type: "text" };
import type { DoneName, FailedName } from "./languages/en.ts";
import { english } from "./languages/en.ts";
import type { PageLanguage } from "./page-language.ts";
import { pageLanguageOf } from "./page-language.ts";
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

/** A field of a form (`application/x-www-form-urlencoded`); "" when missing. */
export async function formField(context: HttpContext, name: string): Promise<string> {
  return new URLSearchParams(await context.req.text()).get(name) ?? "";
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

export function isUnauthenticated({ row }: Failure): boolean {
  return row.code === authErrors.unauthenticated.code;
}

/** Redirects to the first page, with a notice if the browser still has a session's cookie. */
export function toSignIn(context: HttpContext, deps: PageDeps): Response {
  if (sessionTokens(context).length > 0) {
    clearSessionCookie(context, deps);
    setFlash(context, deps, { place: "sign_in", failed: "unauthenticated" });
  }
  return context.redirect("/", 303);
}

// State between a form and the next page is kept in signed cookies, so that it is in no URL.

/** A code that was sent and not entered yet. Times in Unix ms. */
const pendingSchema = z.object({
  purpose: z.enum(codePurposes).exclude(["leave_email"]), // entered together with "change_email"
  email: z.string().max(320),
  /** When another one can be requested. */
  nextAt: z.number(),
  lockedUntil: z.number().optional(),
});
export type PendingCode = z.infer<typeof pendingSchema>;

const pendingName = "page_code";
const pendingSeconds = 15 * 60;

/** Kept for 15 min, and while the address is locked. */
export function keepPending(context: HttpContext, deps: PageDeps, pending: PendingCode): void {
  const lockedMs = Math.max(0, (pending.lockedUntil ?? 0) - deps.clock.now());
  const seconds = pendingSeconds + Math.ceil(lockedMs / 1000);
  writeSigned(context, deps, { name: pendingName, value: pending, seconds });
}

export function readPending(context: HttpContext, deps: PageDeps): PendingCode | undefined {
  const lifeMs = pendingSeconds * 1000 + deps.codes.policy.lockMsMax;
  return readSigned(context, deps, { name: pendingName, schema: pendingSchema, lifeMs });
}

export function dropPending(context: HttpContext, deps: PageDeps): void {
  deleteCookie(context, pendingName, cookieAttributes(deps));
}

const flashPlaces = [
  "sign_in",
  "code",
  "current_code",
  "step",
  "username",
  "email",
  "sessions",
  "deletion",
] as const;
export type FlashPlace = (typeof flashPlaces)[number];

const typedCharsMax = 320;

const namesOf = <Name extends string>(table: Readonly<Record<Name, unknown>>) =>
  z.enum(Object.keys(table) as Name[]);

/**
 * The result of a form, shown once on the next page, at `place`: `code` and `current_code` are the
 * codes' fields, `step` the page around them.
 */
const flashSchema = z.object({
  place: z.enum(flashPlaces),
  done: namesOf<DoneName>(english.done).optional(),
  failed: namesOf<FailedName>(english.failed).optional(),
  /** When to try again. */
  until: z.number().optional(),
  /** What was typed, to be corrected. */
  typed: z.string().max(typedCharsMax).optional(),
});
export type Flash = z.infer<typeof flashSchema>;

const flashName = "page_flash";
const flashSeconds = 60;

export function setFlash(context: HttpContext, deps: PageDeps, flash: Flash): void {
  const typed = flash.typed?.slice(0, typedCharsMax);
  const value = typed === undefined ? flash : { ...flash, typed };
  writeSigned(context, deps, { name: flashName, value, seconds: flashSeconds });
}

export function readFlash(context: HttpContext, deps: PageDeps): Flash | undefined {
  const lifeMs = flashSeconds * 1000;
  return readSigned(context, deps, { name: flashName, schema: flashSchema, lifeMs });
}

/** Once it has been shown. */
export function clearFlash(context: HttpContext, deps: PageDeps): void {
  if (getCookie(context, flashName) !== undefined) {
    deleteCookie(context, flashName, cookieAttributes(deps));
  }
}

interface Written {
  readonly name: string;
  readonly value: object;
  readonly seconds: number;
}

function writeSigned(context: HttpContext, deps: PageDeps, written: Written): void {
  const { name, value, seconds } = written;
  const parts = [Buffer.from(JSON.stringify(value)).toString("base64url")];
  const signing = { purpose: name, parts, signedAt: deps.clock.now() };
  const text = signText(deps.keys.current.secret, signing);
  setCookie(context, name, text, { ...cookieAttributes(deps), maxAge: seconds });
}

interface Read<T> {
  readonly name: string;
  readonly schema: z.ZodType<T>;
  /** At most: the browser drops it at the end of its session. */
  readonly lifeMs: number;
}

function readSigned<T>(context: HttpContext, deps: PageDeps, read: Read<T>): T | undefined {
  const { name, schema, lifeMs } = read;
  const keys = deps.keys.all.map(({ secret }) => secret);
  const text = getCookie(context, name) ?? "";
  const verified = verifyText(text, { purpose: name, keys, lifeMs, now: deps.clock.now() });
  if (verified.kind !== "valid") return undefined;
  const [value = ""] = verified.parts;
  // Signed by us, but perhaps by an earlier version.
  return schema.safeParse(JSON.parse(Buffer.from(value, "base64url").toString())).data;
}

export const iconPath = "/icon.svg";

interface AuthPageOptions {
  readonly view: PageView;
  readonly title: string;
  readonly width: "narrow" | "wide";
  readonly aside?: Child;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly content: Child;
}

/**
 * The pages of sign-in share all styles and scripts, so that a script can replace one page by
 * another.
 */
export function authPage({ title, view, width, aside, content, ...rest }: AuthPageOptions) {
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
        <Frame appName={appName} width={width} aside={aside} languages={languages}>
          {content}
          <template data-unsent>
            <Notice tone="failed">
              <p>{messages.unsent}</p>
            </Notice>
          </template>
        </Frame>
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
