import type { Hono } from "hono";
import { z } from "zod";
import { InstantError } from "../../core/errors.ts";
import { addressField } from "../../core/http/address-field.ts";
import { readJson } from "../../core/http/body.ts";
import type { HttpContext, HttpEnvironment } from "../../core/http/problem.ts";
import type { Log } from "../../core/log.ts";
import type { Operation } from "../../core/openapi/create-document.ts";
import { addOperation } from "../../core/openapi/create-document.ts";
import { equalConstantTime, equalSecret } from "../../core/secret.ts";
import type { Clock } from "../../core/time.ts";
import { recipientKey } from "../event.ts";
import type { LoginAttempts } from "../login-attempts.ts";
import { maskAddresses } from "../mailer/reply.ts";
import type { Suppression, SuppressionStore } from "../suppressions/suppression-store.ts";
import type { BounceReporters } from "./config.ts";
import { bounceErrors } from "./config.ts";

/** A report of a mail server or provider about an address. */
interface BounceReport {
  readonly recipient: string;
  /** `soft`: the next mail may get through. */
  readonly kind: "hard" | "soft" | "complaint";
  readonly detail?: string | null | undefined;
}

/** The signed form. */
const reportsBody = z.object({
  bounces: z
    .array(
      z.object({
        recipient: addressField,
        kind: z.enum(["hard", "soft", "complaint"], "must be hard, soft or complaint"),
        detail: z.string().max(1_000).nullish(),
      }),
    )
    .min(1)
    .max(100),
});

const timestampHeader = "X-Bounce-Timestamp";
const signatureHeader = "X-Bounce-Signature";

/** The tolerated clock skew, which is also how long a report can be replayed. */
const toleranceSeconds = 300;

interface SignedReport {
  /** Unix seconds, as the header has it. */
  readonly timestamp: string;
  /** "v1=<hex>" of the HMAC-SHA-256 over `<timestamp>.<body>`. */
  readonly signature: string;
  readonly body: Uint8Array;
}

/** Signs the raw body: parsed and serialised again it may differ. */
export function signReport(secret: string, timestamp: string, body: Uint8Array): string {
  const hasher = new Bun.CryptoHasher("sha256", secret);
  return `v1=${hasher.update(`${timestamp}.`).update(body).digest("hex")}`;
}

function isSignedNow(secret: string, report: SignedReport, now: number): boolean {
  const { timestamp, signature, body } = report;
  if (!/^\d{1,12}$/.test(timestamp)) return false;
  const age = Math.abs(now / 1000 - Number(timestamp));
  return (
    equalConstantTime(signReport(secret, timestamp, body), signature) && age <= toleranceSeconds
  );
}

/** `Authorization: Basic …` (RFC 7617) of this user, compared in constant time. */
function isBasicLogin(
  header: string,
  { user, password }: { readonly user: string; readonly password: string },
): boolean {
  const encoded = /^Basic +([A-Za-z0-9+/=]{1,8000})$/i.exec(header)?.[1] ?? "";
  const given = Buffer.from(encoded, "base64").toString("utf8");
  return equalSecret(given, `${user}:${password}`);
}

const reportBouncesOperation = {
  id: "reportBounces",
  method: "post",
  path: "/bounces",
  group: "Bounces",
  summary: "Report bounces and complaints",
  description:
    "For the server or provider that delivers your mails. Sign the report with BOUNCE_SECRET, in the headers below; or log in by HTTP Basic as BOUNCE_POSTMARK_USER and send the body of Postmark's webhooks. After a hard bounce or a complaint an address gets no more mail.",
  access: "anyone",
  headerParameters: {
    [timestampHeader]: {
      schema: z.string().regex(/^\d{1,12}$/),
      description: "The current time in Unix seconds, at most five minutes off.",
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
    description: "Accepted.",
    schema: z
      .object({
        suppressed: z
          .int()
          .min(0)
          .meta({ description: "How many addresses are suppressed by this report." }),
      })
      .meta({ id: "BouncesTaken" }),
  },
  problems: [bounceErrors.reporterUnknown, bounceErrors.tooManyAttempts],
} as const satisfies Operation;

/** Only where reports are configured. */
export const bounceOperations: readonly Operation[] = [reportBouncesOperation];

const kinds: Readonly<Record<string, BounceReport["kind"]>> = {
  HardBounce: "hard",
  BadEmailAddress: "hard",
  SpamComplaint: "complaint",
};

/**
 * Postmark's webhooks "Bounce" and "Spam complaint", reduced to the fields that matter. All other
 * types of bounce (SoftBounce, Transient, Blocked, …), and all other webhooks, count as soft: they
 * may be temporary.
 */
const postmarkBody = z
  .object({
    Type: z.string().max(100).nullish(),
    Email: addressField,
    Description: z.string().max(10_000).nullish(),
  })
  .transform(
    ({ Type, Email, Description }): BounceReport => ({
      recipient: Email,
      kind: kinds[Type ?? ""] ?? "soft",
      detail: Description,
    }),
  );

interface BounceRouteDeps {
  readonly suppressions: Pick<SuppressionStore, "add">;
  readonly reporters: BounceReporters;
  readonly attempts: LoginAttempts;
  readonly clock: Clock;
  readonly log: Log;
  /** EMAIL_SUPPRESSION, for bounces; 0: never. A complaint suppresses until it is removed. */
  readonly suppressionMs: number;
}

/**
 * `POST /bounces`: signed reports, and Postmark's webhooks by their login. Returns how many
 * addresses the report suppresses; 401 without a valid signature or login, 429 for a login after too
 * many wrong ones, 422 for an invalid report, 503 while the store is unavailable, so that providers
 * send it again.
 */
export function addBounceRoutes(app: Hono<HttpEnvironment>, deps: BounceRouteDeps): void {
  addOperation(app, reportBouncesOperation, async (context) => {
    const reports = await readReports(context, deps);
    const entries = reports.flatMap((report) => entryOf(report, deps));
    if (entries.length > 0) await deps.suppressions.add(entries);
    const fields = { reports: reports.length, suppressed: entries.length };
    deps.log.info({ requestId: context.get("requestId"), ...fields }, "Bounces reported");
    return context.json({ suppressed: entries.length });
  });
}

async function readReports(
  context: HttpContext,
  { reporters, attempts, clock, log }: BounceRouteDeps,
): Promise<readonly BounceReport[]> {
  const { secret, postmark } = reporters;
  const client = context.get("client");
  const login = context.req.header("Authorization") ?? "";
  const isLogin = postmark !== undefined && /^Basic /i.test(login);
  if (isLogin) {
    const retryAfterSeconds = attempts.lockedSeconds(client);
    if (retryAfterSeconds !== undefined) {
      throw new InstantError(bounceErrors.tooManyAttempts, { details: { retryAfterSeconds } });
    }
    if (isBasicLogin(login, postmark)) return [await readJson(context, postmarkBody)];
  }
  const report = {
    timestamp: context.req.header(timestampHeader) ?? "",
    signature: context.req.header(signatureHeader) ?? "",
    body: new Uint8Array(await context.req.arrayBuffer()),
  };
  if (secret !== undefined && isSignedNow(secret, report, clock.now())) {
    return (await readJson(context, reportsBody)).bounces;
  }
  if (isLogin) {
    attempts.failed(client);
    log.warn({ client }, "Login to report bounces failed");
  }
  throw new InstantError(bounceErrors.reporterUnknown);
}

function entryOf(
  { recipient, kind, detail }: BounceReport,
  { clock, suppressionMs }: BounceRouteDeps,
): Suppression[] {
  const createdAt = clock.now();
  const note = detail ? maskAddresses(detail) : undefined;
  const entry = { key: recipientKey(recipient), address: recipient, note, createdAt };
  if (kind === "complaint") return [{ ...entry, reason: "complained", expiresAt: undefined }];
  if (kind === "soft" || suppressionMs === 0) return [];
  return [{ ...entry, reason: "bounced", expiresAt: createdAt + suppressionMs }];
}
