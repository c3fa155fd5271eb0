import type { MiddlewareHandler } from "hono";
import { nextStep, parseTraceparent, runInTrace } from "../trace-context.ts";
import type { HttpEnvironment } from "./environment.ts";

/** Goes on with the trace of the request's `traceparent`, or begins one. */
export function requestTrace(): MiddlewareHandler<HttpEnvironment> {
  return async function requestTrace(context, next) {
    const given = parseTraceparent(context.req.header("traceparent"));
    await runInTrace(nextStep(given), next);
  };
}
