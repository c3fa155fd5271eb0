import { Hono } from "hono";
import { methodNotAllowed } from "hono/method-not-allowed";
import { requestId } from "hono/request-id";
import { secureHeaders } from "hono/secure-headers";
import { getPath } from "hono/utils/url";
import type { Log } from "../log.ts";
import type { AnsweredRequest } from "./access-log.ts";
import { accessLog } from "./access-log.ts";
import { bodyLimit } from "./body-limit.ts";
import { clientNetwork } from "./client-network.ts";
import type { HttpEnvironment } from "./environment.ts";
import { httpErrors } from "./error-codes.ts";
import { respondToError } from "./error-response.ts";
import type { IpNetwork } from "./ip-address.ts";
import { problemResponse } from "./problem.ts";
import type { DrawProblem } from "./problem-pages.ts";
import { problemPages } from "./problem-pages.ts";
import { requestTrace } from "./request-trace.ts";

export interface HttpAppOptions {
  readonly log: Log;
  /** Whose `X-Forwarded-For` is believed; nobody's when left out. */
  readonly trustedProxies?: readonly IpNetwork[];
  /** Hears of each request that was answered. */
  readonly onRequest?: (request: AnsweredRequest) => void;
  /** Operators alone are served: a problem says what an engine said why it refuses. */
  readonly showsRefusal?: boolean;
  /** How a browser is shown a problem; as JSON, like everybody else, when left out. */
  readonly drawProblem?: DrawProblem;
}

/**
 * The app that each service adds its routes to. Every answer carries `X-Request-Id` (the caller's,
 * when it is 1–64 of letters, digits, `-`, `_`, `=`; else a new one) and the secure headers; every
 * answer that is no success is a problem (RFC 9457); bodies end at 64 KiB. A header that a handler
 * sets itself stays, so a page may bring its own Content-Security-Policy.
 */
export function createHttpApp(options: HttpAppOptions): Hono<HttpEnvironment> {
  const { log, trustedProxies = [], drawProblem, showsRefusal = false } = options;
  const app = new Hono<HttpEnvironment>({ getPath: pathOf });
  app.use(requestId({ limitLength: 64 }));
  app.use(requestTrace());
  app.use(async (context, next) => {
    await next();
    // Hono's own is lost when a handler answers with a Response of its own, as pages do. Not by
    // `context.header`: on an answer that is there it makes another, whose body is a stream.
    context.res.headers.set("X-Request-Id", context.get("requestId"));
  });
  app.use(accessLog(log, options.onRequest));
  app.use(clientNetwork(trustedProxies));
  app.use(
    secureHeaders({
      overwrite: false,
      originAgentCluster: false, // of no use to a single origin, and browsers complain in sandboxed frames
      xFrameOptions: "DENY",
      contentSecurityPolicy: {
        defaultSrc: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
      },
    }),
  );
  // Inside the headers: a page brings its own Content-Security-Policy.
  if (drawProblem !== undefined) app.use(problemPages(drawProblem));
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (context, methods) =>
        problemResponse(context, httpErrors.methodNotAllowed, {
          detail: `Use ${methods.join(" or ")}.`,
          headers: { Allow: methods.join(", ") },
        }),
    }),
  );
  app.use(bodyLimit());
  app.notFound((context) => problemResponse(context, httpErrors.notFound));
  app.onError((error, context) => respondToError(error, context, log, { showsRefusal }));
  return app;
}

/** Bun's URL of a request without a usable Host (a load balancer's HTTP/1.0) is the bare path. */
function pathOf(request: Request): string {
  const { url } = request;
  return url.startsWith("/") ? (url.split(/[?#]/, 1)[0] ?? url) : getPath(request);
}
