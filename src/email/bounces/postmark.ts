import { z } from "zod";
import type { BounceReport } from "./bounce-report.ts";
import { recipientSchema } from "./bounce-report.ts";

const kinds: Readonly<Record<string, BounceReport["kind"]>> = {
  HardBounce: "hard",
  BadEmailAddress: "hard",
  SpamComplaint: "complaint",
};

/**
 * Postmark's webhooks "Bounce" and "Spam complaint" as they send them: of their many fields, those
 * that matter. Every other type of bounce (SoftBounce, Transient, Blocked, …), and every other
 * webhook, may be a passing thing and is soft.
 */
export const postmarkBody = z
  .object({
    Type: z.string().max(100).nullish(),
    Email: recipientSchema,
    Description: z.string().max(10_000).nullish(),
  })
  .transform(
    ({ Type, Email, Description }): BounceReport => ({
      recipient: Email,
      kind: kinds[Type ?? ""] ?? "soft",
      detail: Description,
    }),
  );
