import type { Hono } from "hono";
import { InstantError } from "../../core/errors.ts";
import type { HttpEnvironment } from "../../core/http/environment.ts";
import { messageIdPattern } from "../event.ts";
import { traceErrors } from "./error-codes.ts";
import type { TraceDeps } from "./trace.ts";
import { findTrace } from "./trace.ts";
import { traceJson } from "./trace-report.ts";

/** `GET /messages/:id`: the life of a mail as JSON. No search by address: it would be in the URL. */
export function addMessageRoutes(app: Hono<HttpEnvironment>, deps: TraceDeps): void {
  app.get(`/messages/:id{${messageIdPattern}}`, async (context) => {
    const trace = await findTrace(deps, context.req.param("id"));
    if (trace === undefined) throw new InstantError(traceErrors.mailUnknown);
    return context.json(traceJson(trace), 200, { "Cache-Control": "no-store" });
  });
}
