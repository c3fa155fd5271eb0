import type { MiddlewareHandler } from "hono";
import type { ErrorRow } from "../errors.ts";
import type { HttpEnvironment } from "./environment.ts";
import { clientAddress } from "./environment.ts";
import { problemResponse } from "./problem.ts";

const loopbackOnlyError: ErrorRow = {
  code: "loopback_only",
  meaning: "This page is for programs and people on the same machine",
  retryable: false,
  status: 403,
};

const loopbackNames = new Set(["localhost", "127.0.0.1", "[::1]"]);
const loopbackAddresses = new Set(["127.0.0.1", "::1", "::ffff:127.0.0.1"]);

/**
 * Lets a request through when it comes from this machine and was addressed to it by a loopback
 * name: a page elsewhere that makes a browser ask here (DNS rebinding) brings its own name.
 */
export function loopbackOnly(): MiddlewareHandler<HttpEnvironment> {
  return async function loopbackOnly(context, next) {
    const { hostname } = new URL(context.req.url);
    const address = clientAddress(context);
    if (address === undefined || !loopbackAddresses.has(address) || !loopbackNames.has(hostname)) {
      return problemResponse(context, loopbackOnlyError);
    }
    return next();
  };
}
