import type { Hono } from "hono";
import type { HttpContext, HttpEnvironment } from "../../core/http/environment.ts";
import { readJson } from "../../core/http/read-json.ts";
import { addOperation } from "../../core/openapi/operation.ts";
import { recipientKey } from "../recipient-key.ts";
import { changePreferencesOperation, getPreferencesOperation } from "./operations.ts";
import type { PreferenceStore } from "./preference-store.ts";
import { getPreferences } from "./preference-store.ts";

export interface PreferenceRouteDeps {
  readonly preferences: PreferenceStore;
  /** Who is signed in; throws when it is nobody. The service that these routes are put into knows. */
  readonly currentUser: (context: HttpContext) => Promise<{ readonly email: string }>;
}

/** `GET` and `PATCH /users/me/preferences`. The app refuses writes from other sites' pages. */
export function addPreferenceRoutes(app: Hono<HttpEnvironment>, deps: PreferenceRouteDeps): void {
  const { preferences, currentUser } = deps;
  const keyOf = async (context: HttpContext) => recipientKey((await currentUser(context)).email);
  addOperation(app, getPreferencesOperation, async (context) =>
    context.json(await getPreferences(preferences, await keyOf(context))),
  );
  addOperation(app, changePreferencesOperation, async (context) => {
    const key = await keyOf(context);
    const wishes = await readJson(context, changePreferencesOperation.body.schema);
    await preferences.change(key, wishes);
    return context.json(await getPreferences(preferences, key));
  });
}
