import type { Hono } from "hono";
import { z } from "zod";
import { errorMessage, isInstantError } from "../../core/errors.ts";
import { readJson } from "../../core/http/body.ts";
import type { HttpContext, HttpEnvironment } from "../../core/http/environment.ts";
import type { Log } from "../../core/log.ts";
import type { Operation } from "../../core/openapi/operation.ts";
import { addOperation } from "../../core/openapi/operation.ts";
import type { Clock } from "../../core/time.ts";
import type { OptionalType } from "../event.ts";
import { optionalTypes, recipientKey } from "../event.ts";
import type { PreferenceChanges, PreferenceStore } from "./preference-store.ts";
import { getPreferences } from "./preference-store.ts";
import {
  chooseField,
  oneClickField,
  oneClickValue,
  preferencesPage,
  refusalPage,
} from "./preferences-page.tsx";
import type { TokenSecrets, UnsubscribeGrant } from "./unsubscribe-link.ts";
import { readUnsubscribeToken, unsubscribePath } from "./unsubscribe-link.ts";

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
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * `/unsubscribe/<token>`, the link in optional mails. GET shows the preferences and changes
 * nothing, because link scanners open it. POST with `List-Unsubscribe=One-Click` declines the type
 * of the mail (RFC 8058: no cookie, no redirect, idempotent); the page's own form sets all types.
 * The token alone names the recipient: there is no cookie that another site could abuse.
 */
export function addUnsubscribeRoutes(app: Hono<HttpEnvironment>, deps: UnsubscribeRouteDeps): void {
  const path = `${unsubscribePath}/:token`;
  app.get(path, (context) =>
    withGrant(context, deps, async (grant) => {
      const preferences = await getPreferences(deps.preferences, grant.key);
      return preferencesPage({ appName: deps.appName, preferences, type: grant.type });
    }),
  );
  app.post(path, (context) => withGrant(context, deps, (grant) => change(context, deps, grant)));
}

async function withGrant(
  context: HttpContext,
  { secrets, appName, clock, log }: UnsubscribeRouteDeps,
  act: (grant: UnsubscribeGrant) => Promise<Response>,
): Promise<Response> {
  const outcome = readUnsubscribeToken(secrets, context.req.param("token") ?? "", clock.now());
  if (outcome.kind !== "valid") return refusalPage(appName, outcome.kind);
  try {
    return await act(outcome.grant);
  } catch (error) {
    if (!isInstantError(error) || error.row.status !== 503) throw error;
    const fields = { requestId: context.get("requestId"), error: errorMessage(error) };
    log.warn(fields, "Preferences unavailable");
    return refusalPage(appName, "unavailable");
  }
}

async function change(
  context: HttpContext,
  { preferences, appName, log }: UnsubscribeRouteDeps,
  { key, type }: UnsubscribeGrant,
): Promise<Response> {
  const form = await readForm(context);
  const isOneClick = form.get(oneClickField) === oneClickValue;
  if (!isOneClick && form.get(chooseField) === null) return refusalPage(appName, "unclear");
  const declined = type === "all" ? optionalTypes : [type];
  const changes: PreferenceChanges = isOneClick
    ? Object.fromEntries(declined.map((one) => [one, false]))
    : Object.fromEntries(optionalTypes.map((one) => [one, form.get(one) === "yes"]));
  await preferences.change(key, changes);
  log.info(
    { requestId: context.get("requestId"), preferences: changes },
    "E-mail preferences changed",
  );
  const done = isOneClick ? "unsubscribed" : "saved";
  return preferencesPage({
    appName,
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
