import { z } from "zod";
import { emailAddressBound, parseEmailAddress } from "../core/email-address.ts";
import { usernameSchema } from "./users/username.ts";

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
