import { z } from "zod";
import { emailAddressBound, parseEmailAddress } from "../../core/email-address.ts";

/** What somebody who delivers mails for us found out about an address. */
export interface BounceReport {
  readonly recipient: string;
  /** `soft`: it may work another time. */
  readonly kind: "hard" | "soft" | "complaint";
  readonly detail?: string | null | undefined;
}

export const recipientSchema = z
  .string()
  .max(320)
  .transform((text, context) => {
    const address = parseEmailAddress(text);
    if (address !== undefined) return address;
    context.addIssue(`must be ${emailAddressBound}`);
    return z.NEVER;
  });

/** For whoever can send JSON and sign it. */
export const reportsBody = z.object({
  bounces: z
    .array(
      z.object({
        recipient: recipientSchema,
        kind: z.enum(["hard", "soft", "complaint"], "must be hard, soft or complaint"),
        detail: z.string().max(1_000).nullish(),
      }),
    )
    .min(1)
    .max(100),
});
