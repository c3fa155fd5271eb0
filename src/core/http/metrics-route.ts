import type { Hono } from "hono";
import type { Metrics } from "../metrics.ts";
import { equalSecret } from "../secret.ts";
import type { HttpContext, HttpEnvironment } from "./environment.ts";
import { loopbackOnly } from "./loopback-only.ts";

const forwardingHeaders = ["Forwarded", "X-Forwarded-For", "Via"] as const;

export interface MetricsReaders {
  /** Who brings it as Bearer may read; at least 32 characters. */
  readonly token: string | undefined;
  /** Without a token: whether programs on this machine may, unless a proxy passed them on. */
  readonly loopback: boolean;
}

/** `GET /metrics` of an app that the internet reaches: to everybody else there is no such page. */
export function addMetricsRoute(
  app: Hono<HttpEnvironment>,
  metrics: Metrics,
  { token, loopback }: MetricsReaders,
): void {
  const fromThisMachine = loopbackOnly();
  app.get("/metrics", async (context, next) => {
    if (token !== undefined) {
      return bringsToken(context, token) ? next() : context.notFound();
    }
    const isForwarded = forwardingHeaders.some((name) => context.req.header(name) !== undefined);
    return loopback && !isForwarded ? fromThisMachine(context, next) : context.notFound();
  });
  app.get("/metrics", (context) => renderMetrics(context, metrics));
}

export async function renderMetrics(context: HttpContext, metrics: Metrics): Promise<Response> {
  return context.body(await metrics.render(), 200, { "Content-Type": metrics.contentType });
}

function bringsToken(context: HttpContext, token: string): boolean {
  const given = /^Bearer ([!-~]{1,1000})$/.exec(context.req.header("Authorization") ?? "")?.[1];
  return given !== undefined && equalSecret(given, token);
}
