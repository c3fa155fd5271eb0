// Preferences and one-click unsubscribe (RFC 8058): the page, its routes, and the API.
import type { Hono } from "hono";
import type { Child } from "hono/jsx";
import { z } from "zod";
import { errorMessage, isInstantError } from "../../core/errors.ts";
import controlsStyles from "../../core/html/controls.css" with { type: "text" };
import frameStyles from "../../core/html/frame.css" with { type: "text" };
import { Button, Frame, Notice, pageResponse } from "../../core/html/page.tsx";
import textStyles from "../../core/html/text.css" with { type: "text" };
import { readJson } from "../../core/http/body.ts";
import { pageLanguage } from "../../core/http/page-language.ts";
import type { HttpContext, HttpEnvironment } from "../../core/http/problem.ts";
import type { Language } from "../../core/languages.ts";
import type { Log } from "../../core/log.ts";
import type { Operation } from "../../core/openapi/create-document.ts";
import { addOperation } from "../../core/openapi/create-document.ts";
import type { Clock } from "../../core/time.ts";
import { optionalTypes, recipientKey } from "../event.ts";
import type { OptionalType } from "../mails/mail-types.tsx";
import { mailMessages } from "../templates/languages.ts";
import type {
  GrantedType,
  PreferenceChanges,
  PreferenceStore,
  Preferences,
  TokenSecrets,
  UnsubscribeGrant,
} from "./preference-store.ts";
import { getPreferences, readUnsubscribeToken, unsubscribePath } from "./preference-store.ts";
import styles from "./preferences-page.css" with { type: "text" };

/** The fields of the page's forms. The first is the one of RFC 8058, which mail programs send too. */
const oneClickField = "List-Unsubscribe";
const oneClickValue = "One-Click";
const chooseField = "choose";

/** Whose the page is, and the language of its reader. */
interface PageView {
  readonly appName: string;
  readonly language: Language;
}

interface PreferencesPageOptions {
  readonly view: PageView;
  readonly preferences: Preferences;
  /** The type of the mail with the link. */
  readonly type: GrantedType;
  readonly done?: "unsubscribed" | "saved" | undefined;
}

/**
 * The preferences, and both ways to change them. Shows no address, because the link may be
 * forwarded.
 */
function preferencesPage(options: PreferencesPageOptions): Response {
  const { view, preferences, type, done } = options;
  const messages = mailMessages[view.language].preferences;
  const name = type === "all" ? messages.all : messages.nameOf(messages.types[type].title);
  const isWanted = type !== "all" && preferences[type];
  return page({
    view,
    title: messages.title,
    content: (
      <>
        {done !== undefined && (
          <Notice tone="done">
            <p>{done === "saved" ? messages.saved : messages.unsubscribed(name)}</p>
          </Notice>
        )}
        <p class="lead">{messages.lead(view.appName)}</p>
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
            {typesOf(type).map((one) => (
              <TypeBox type={one} wanted={preferences[one]} {...messages.types[one]} />
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

/** A link in a mail is about mails of its type alone. */
function typesOf(granted: GrantedType): readonly OptionalType[] {
  return granted === "all" ? optionalTypes : [granted];
}

interface TypeBoxProps {
  readonly type: OptionalType;
  readonly wanted: boolean;
  readonly title: string;
  readonly text: string;
}

function TypeBox({ type, wanted, title, text }: TypeBoxProps) {
  return (
    <label class="mail-type">
      <input type="checkbox" name={type} value="yes" checked={wanted} />
      <strong>{title}</strong>
      <span class="hint">{text}</span>
    </label>
  );
}

const statuses = { old: 410, mandatory: 410, forged: 400, unclear: 400, unavailable: 503 } as const;

/** A page with the reason why nothing was done. */
function refusalPage(view: PageView, reason: keyof typeof statuses): Response {
  const { title, text } = mailMessages[view.language].preferences[reason];
  const headers: Record<string, string> = reason === "unavailable" ? { "Retry-After": "5" } : {};
  const content = <p class="lead">{text}</p>;
  return page({ view, title, status: statuses[reason], headers, content });
}

interface PageOptions {
  readonly view: PageView;
  readonly title: string;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly content: Child;
}

function page({ view, title, content, headers = {}, ...rest }: PageOptions): Response {
  const { appName, language } = view;
  return pageResponse({
    ...rest,
    language,
    title: `${title} · ${appName}`,
    headers: { ...headers, "X-Robots-Tag": "noindex" },
    styles: controlsStyles + frameStyles + textStyles + styles,
    body: () => (
      <Frame appName={appName} width="narrow" languages={{ current: language, path: "" }}>
        <div class="card stack">
          <h1>{title}</h1>
          {content}
        </div>
      </Frame>
    ),
  });
}

const group = "E-mail preferences";

const fields = Object.fromEntries(
  optionalTypes.map((type) => [type, z.boolean().meta({ description: `Mails of type ${type}.` })]),
) as Record<OptionalType, z.ZodBoolean>;

const preferencesAnswer = z.object(fields).meta({
  id: "Preferences",
  description: "By type, whether such mails are sent. Requested mails, such as codes, always are.",
});

/** Strict, so that an attempt to decline a mandatory type fails visibly. */
const preferencesBody = z.strictObject(fields, {
  error: ({ code }) =>
    code === "unrecognized_keys" ? `may only have ${optionalTypes.join(", ")}` : undefined,
});

const changeBody = preferencesBody.partial();

const getPreferencesOperation = {
  id: "getPreferences",
  method: "get",
  path: "/users/me/preferences",
  group,
  summary: "Get your e-mail preferences",
  access: "session",
  answer: { status: 200, description: "Your preferences.", schema: preferencesAnswer },
} as const satisfies Operation;

const changePreferencesOperation = {
  id: "changePreferences",
  method: "patch",
  path: "/users/me/preferences",
  group,
  summary: "Change your e-mail preferences",
  description: "Types that are left out stay unchanged. Takes effect with the next mail.",
  access: "session",
  body: { schema: changeBody, required: true, example: { welcome: false } },
  answer: { status: 200, description: "Changed.", schema: preferencesAnswer },
} as const satisfies Operation;

export const preferenceOperations: readonly Operation[] = [
  getPreferencesOperation,
  changePreferencesOperation,
];

interface PreferenceRouteDeps {
  readonly preferences: PreferenceStore;
  /** Provided by the service; throws when the request is not authenticated. */
  readonly currentUser: (context: HttpContext) => Promise<{ readonly email: string }>;
}

/** `GET` and `PATCH /users/me/preferences`. The app itself refuses writes from pages of other sites. */
export function addPreferenceRoutes(app: Hono<HttpEnvironment>, deps: PreferenceRouteDeps): void {
  const { preferences, currentUser } = deps;
  const keyOf = async (context: HttpContext) => recipientKey((await currentUser(context)).email);
  addOperation(app, getPreferencesOperation, async (context) =>
    context.json(await getPreferences(preferences, await keyOf(context))),
  );
  addOperation(app, changePreferencesOperation, async (context) => {
    const key = await keyOf(context);
    const changes = await readJson(context, changePreferencesOperation.body.schema);
    await preferences.change(key, changes);
    return context.json(await getPreferences(preferences, key));
  });
}

interface UnsubscribeRouteDeps {
  readonly preferences: PreferenceStore;
  readonly secrets: TokenSecrets;
  readonly appName: string;
  /** For people who name no language of ours. */
  readonly fallbackLanguage: Language;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * `/unsubscribe/<token>`, the link in optional mails. GET shows the preferences and changes
 * nothing, because link scanners open it. POST with `List-Unsubscribe=One-Click` declines the type
 * of the mail (RFC 8058: no cookie, no redirect, idempotent); the page's own form sets it either
 * way. Neither changes another type; only the link of the account page is for all.
 * The token alone names the recipient: there is no cookie that another site could abuse.
 */
export function addUnsubscribeRoutes(app: Hono<HttpEnvironment>, deps: UnsubscribeRouteDeps): void {
  const path = `${unsubscribePath}/:token`;
  app.get(path, (context) =>
    withGrant(context, deps, async (view, grant) => {
      const preferences = await getPreferences(deps.preferences, grant.key);
      return preferencesPage({ view, preferences, type: grant.type });
    }),
  );
  app.post(path, (context) =>
    withGrant(context, deps, (view, grant) => change(context, deps, { view, ...grant })),
  );
}

async function withGrant(
  context: HttpContext,
  { secrets, appName, fallbackLanguage, clock, log }: UnsubscribeRouteDeps,
  act: (view: PageView, grant: UnsubscribeGrant) => Promise<Response>,
): Promise<Response> {
  const view = { appName, language: pageLanguage(context, fallbackLanguage) };
  const outcome = readUnsubscribeToken(secrets, context.req.param("token") ?? "", clock.now());
  if (outcome.kind !== "valid") return refusalPage(view, outcome.kind);
  try {
    return await act(view, outcome.grant);
  } catch (error) {
    if (!isInstantError(error) || error.row.status !== 503) throw error;
    const fields = { requestId: context.get("requestId"), error: errorMessage(error) };
    log.warn(fields, "Preferences unavailable");
    return refusalPage(view, "unavailable");
  }
}

async function change(
  context: HttpContext,
  { preferences, log }: UnsubscribeRouteDeps,
  { view, key, type }: UnsubscribeGrant & { readonly view: PageView },
): Promise<Response> {
  const form = await readForm(context);
  const isOneClick = form.get(oneClickField) === oneClickValue;
  if (!isOneClick && form.get(chooseField) === null) return refusalPage(view, "unclear");
  const changes: PreferenceChanges = Object.fromEntries(
    typesOf(type).map((one) => [one, !isOneClick && form.get(one) === "yes"]),
  );
  await preferences.change(key, changes);
  log.info(
    { requestId: context.get("requestId"), preferences: changes },
    "E-mail preferences changed",
  );
  const done = isOneClick ? "unsubscribed" : "saved";
  return preferencesPage({
    view,
    preferences: await getPreferences(preferences, key),
    type,
    done,
  });
}

/** The form in either encoding (RFC 8058, 3.1); empty when the body is not a form. */
async function readForm(context: HttpContext): Promise<Pick<FormData, "get">> {
  try {
    return await context.req.formData();
  } catch {
    return new FormData();
  }
}
