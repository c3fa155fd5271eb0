import { z } from "zod";
import type { Operation } from "../../core/openapi/operation.ts";
import type { OptionalType } from "../mail-kind.ts";
import { optionalTypes } from "../mail-kind.ts";

const group = "E-mail preferences";

const fields = Object.fromEntries(
  optionalTypes.map((type) => [type, z.boolean().meta({ description: `Mails of type ${type}.` })]),
) as Record<OptionalType, z.ZodBoolean>;

const preferencesAnswer = z.object(fields).meta({
  id: "Preferences",
  description:
    "By type, whether such mails are sent. Codes and mails that were asked for always are.",
});

/** Strict, so that nobody believes to have declined what cannot be declined. */
export const preferencesBody = z.strictObject(fields, {
  error: ({ code }) =>
    code === "unrecognized_keys" ? `may only have ${optionalTypes.join(", ")}` : undefined,
});

const changeBody = preferencesBody.partial();

export const getPreferencesOperation = {
  id: "getPreferences",
  method: "get",
  path: "/users/me/preferences",
  group,
  summary: "Which optional mails you get",
  access: "session",
  answer: { status: 200, description: "Your preferences.", schema: preferencesAnswer },
} as const satisfies Operation;

export const changePreferencesOperation = {
  id: "changePreferences",
  method: "patch",
  path: "/users/me/preferences",
  group,
  summary: "Decline optional mails, or take them again",
  description: "Types that are left out stay as they are. It holds for every mail from now on.",
  access: "session",
  body: { schema: changeBody, required: true, example: { welcome: false } },
  answer: { status: 200, description: "Changed.", schema: preferencesAnswer },
} as const satisfies Operation;

export const preferenceOperations: readonly Operation[] = [
  getPreferencesOperation,
  changePreferencesOperation,
];
