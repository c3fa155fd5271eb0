import type { Hono } from "hono";
import type { Clock } from "../../core/clock.ts";
import { errorMessage, isInstantError } from "../../core/errors.ts";
import type { HttpContext, HttpEnvironment } from "../../core/http/environment.ts";
import type { Log } from "../../core/log.ts";
import { optionalTypes } from "../mail-kind.ts";
import type { PreferenceStore, Wishes } from "./preference-store.ts";
import { getPreferences } from "./preference-store.ts";
import {
  chooseField,
  oneClickField,
  oneClickValue,
  preferencesPage,
  refusalPage,
} from "./preferences-page.tsx";
import { unsubscribePath } from "./unsubscribe-link.ts";
import type { TokenSecrets, UnsubscribeGrant } from "./unsubscribe-token.ts";
import { readUnsubscribeToken } from "./unsubscribe-token.ts";

export interface UnsubscribeRouteDeps {
  readonly preferences: PreferenceStore;
  readonly secrets: TokenSecrets;
  readonly appName: string;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * `/unsubscribe/<token>`, where the links in optional mails lead. GET shows the preferences and
 * changes nothing, because scanners open links. POST with `List-Unsubscribe=One-Click` declines the
 * type of the mail (RFC 8058: no cookie, no redirect, once or often); the page's own form sets all
 * types. The token alone says whose preferences these are, so no other site can use them.
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
    log.warn(fields, "Preferences are away");
    return refusalPage(appName, "away");
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
  const wishes: Wishes = isOneClick
    ? Object.fromEntries(declined.map((one) => [one, false]))
    : Object.fromEntries(optionalTypes.map((one) => [one, form.get(one) === "yes"]));
  await preferences.change(key, wishes);
  log.info({ requestId: context.get("requestId"), wishes }, "E-mail preferences changed");
  const done = isOneClick ? "unsubscribed" : "saved";
  return preferencesPage({
    appName,
    preferences: await getPreferences(preferences, key),
    type,
    done,
  });
}

/** Either kind of form (RFC 8058, 3.1); an empty one when the body is none. */
async function readForm(context: HttpContext): Promise<Pick<FormData, "get">> {
  try {
    return await context.req.formData();
  } catch {
    return new FormData();
  }
}
