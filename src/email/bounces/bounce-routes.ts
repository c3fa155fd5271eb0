import type { Hono } from "hono";
import type { Clock } from "../../core/clock.ts";
import { InstantError } from "../../core/errors.ts";
import type { HttpContext, HttpEnvironment } from "../../core/http/environment.ts";
import { readJson } from "../../core/http/read-json.ts";
import type { Log } from "../../core/log.ts";
import { addOperation } from "../../core/openapi/operation.ts";
import { maskAddresses } from "../../core/smtp/reply.ts";
import { recipientKey } from "../recipient-key.ts";
import type { Suppression, SuppressionStore } from "../suppressions/suppression-store.ts";
import type { BounceReport } from "./bounce-report.ts";
import { reportsBody } from "./bounce-report.ts";
import type { BounceReporters } from "./config.ts";
import { bounceErrors } from "./error-codes.ts";
import { reportBouncesOperation } from "./operations.ts";
import { postmarkBody } from "./postmark.ts";
import { isBasicLogin, isSignedNow, signatureHeader, timestampHeader } from "./signature.ts";

export interface BounceRouteDeps {
  readonly suppressions: Pick<SuppressionStore, "add">;
  readonly reporters: BounceReporters;
  readonly clock: Clock;
  readonly log: Log;
  /** How long a bounce suppresses; 0: not at all. A complaint does until it is removed. */
  readonly suppressionMs: number;
}

/**
 * `POST /bounces`: signed reports, and Postmark's webhooks by their login. Answers how many addresses
 * are suppressed by it; 401 for anybody else, 422 for what is no report, 503 while the store is away,
 * whereupon those who deliver mails send it again.
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
  { reporters, clock }: BounceRouteDeps,
): Promise<readonly BounceReport[]> {
  const { secret, postmark } = reporters;
  const login = context.req.header("Authorization") ?? "";
  if (postmark !== undefined && isBasicLogin(login, postmark)) {
    return [await readJson(context, postmarkBody)];
  }
  const report = {
    timestamp: context.req.header(timestampHeader) ?? "",
    signature: context.req.header(signatureHeader) ?? "",
    body: new Uint8Array(await context.req.arrayBuffer()),
  };
  if (secret !== undefined && isSignedNow(secret, report, clock.now())) {
    return (await readJson(context, reportsBody)).bounces;
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
