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
  });

/** Spaces and dashes are dropped: people paste "123 456". */
const codeSchema = z
  .string()
  .max(32)
  .transform((text) => text.replace(/[\s-]/g, ""))
  .pipe(z.string().regex(/^\d{6}$/, "must be 6 digits"));

export const requestCodeBody = z.object({ email: emailSchema });

export const verifyCodeBody = z.object({
  email: emailSchema,
  code: codeSchema,
  username: usernameSchema.optional(),
});
