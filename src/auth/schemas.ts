import { z } from "zod";
import { emailAddressBound, parseEmailAddress } from "../core/email-address.ts";
import type { User } from "./users/user-store.ts";
import { usernameSchema } from "./users/user-store.ts";

const time = (description: string) =>
  z.string().meta({ format: "date-time", description, examples: ["2026-01-31T12:00:00.000Z"] });

/** What the API answers, as its document describes it. Times in RFC 3339. */
export const userAnswer = z
  .object({
    id: z.string().meta({ format: "uuid" }),
    email: z.string().meta({ format: "email" }),
    username: z.string().nullable().meta({ description: "Null until it is chosen." }),
    created_at: time("The first sign-in."),
    last_sign_in_at: time("The newest sign-in."),
  })
  .meta({ id: "User", description: "A person who signed in." });

const sessionFields = {
  id: z.string().meta({ description: "Names the session; it opens nothing." }),
  device: z.string().meta({ description: "For people.", examples: ["Firefox on Windows"] }),
  created_at: time("The sign-in."),
  last_used_at: time("The last use, to the minute."),
};

const sessionAnswer = z
  .object({ ...sessionFields, current: z.boolean().meta({ description: "Of this request." }) })
  .meta({ id: "Session", description: "A place where somebody is signed in." });

export const signedInAnswer = z
  .object({
    token: z.string().meta({ description: "For `Authorization: Bearer`; shown once." }),
    user: userAnswer,
  })
  .meta({ id: "SignedIn" });

export const currentSessionAnswer = z
  .object({
    user: userAnswer,
    session: z.object({
      ...sessionFields,
      expires_at: time("When it ends if it is not used any more."),
    }),
  })
  .meta({ id: "CurrentSession", description: "Who is signed in, and by which session." });

export const sessionsAnswer = z
  .object({ sessions: z.array(sessionAnswer).meta({ description: "The one used last first." }) })
  .meta({ id: "Sessions" });

export const revokedAnswer = z
  .object({ revoked: z.int().min(0).meta({ description: "How many sessions were ended." }) })
  .meta({ id: "Revoked" });

export const messageAnswer = z
  .object({ message: z.string().meta({ examples: ["verification code sent to your email"] }) })
  .meta({ id: "Message" });

/** An address in canonical form: what is typed differently but is the same mailbox is one person. */
const emailSchema = z
  .string()
  .max(320)
  .transform((text, context) => {
    const email = parseEmailAddress(text);
    if (email !== undefined) return email;
    context.addIssue(`must be ${emailAddressBound}`);
    return z.NEVER;
  })
  .meta({
    format: "email",
    description: "Compared in lower case, without blanks around it, its domain in ASCII.",
    examples: ["ana@example.com"],
  });

/** Spaces and dashes are dropped: people paste "123 456". */
const codeSchema = z
  .string()
  .max(32)
  .transform((text) => text.replace(/[\s-]/g, ""))
  .pipe(z.string().regex(/^\d{6}$/, "must be 6 digits"))
  .meta({
    pattern: "^[\\s-]*(?:\\d[\\s-]*){6}$",
    description: "The six digits of the mail; blanks and dashes are dropped.",
    examples: ["123456"],
  });

export const requestCodeBody = z.object({ email: emailSchema });

export const verifyCodeBody = z.object({
  email: emailSchema,
  code: codeSchema,
  username: usernameSchema.optional(),
});

export const logoutBody = z.object({
  everywhere: z.boolean().default(false).meta({ description: "Ends all sessions, not this one." }),
});

export const changeUserBody = z.object({ username: usernameSchema });

export const requestEmailBody = z.object({ email: emailSchema });

export const verifyEmailBody = z.object({ email: emailSchema, code: codeSchema });

export const deleteUserBody = z.object({ code: codeSchema });

/** A user as the API shows it: times in RFC 3339, `username` null until it is chosen. */
export function userResponse(user: User) {
  return {
    id: user.id,
    email: user.email,
    username: user.username ?? null,
    created_at: new Date(user.createdAt).toISOString(),
    last_sign_in_at: new Date(user.lastSignInAt).toISOString(),
  };
}
