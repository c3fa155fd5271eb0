import { z } from "zod";
import type { Operation } from "../../core/openapi/operation.ts";
import { reportsBody } from "./bounce-report.ts";
import { bounceErrors } from "./error-codes.ts";
import { signatureHeader, timestampHeader } from "./signature.ts";

export const reportBouncesOperation = {
  id: "reportBounces",
  method: "post",
  path: "/bounces",
  group: "Bounces",
  summary: "Report addresses that take no mail",
  description:
    "For whoever delivers your mails. Signed with BOUNCE_SECRET as the headers say; or with HTTP Basic as BOUNCE_POSTMARK_USER, and then the body is that of Postmark's webhooks. No mail is sent to an address with a hard bounce or a complaint.",
  access: "anyone",
  headerParameters: {
    [timestampHeader]: {
      schema: z.string().regex(/^\d{1,12}$/),
      description: "Now, in Unix seconds; at most five minutes off.",
      example: "1769860800",
    },
    [signatureHeader]: {
      schema: z.string(),
      description: "v1= and the HMAC-SHA-256, in hex, of the timestamp, a dot and the body.",
      example: "v1=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    },
  },
  body: {
    schema: reportsBody,
    required: true,
    example: { bounces: [{ recipient: "ana@example.com", kind: "hard" }] },
  },
  answer: {
    status: 200,
    description: "Taken.",
    schema: z
      .object({ suppressed: z.int().min(0).meta({ description: "Addresses that get no mail." }) })
      .meta({ id: "BouncesTaken" }),
  },
  problems: [bounceErrors.reporterUnknown],
} as const satisfies Operation;

/** Only where somebody may report. */
export const bounceOperations: readonly Operation[] = [reportBouncesOperation];
