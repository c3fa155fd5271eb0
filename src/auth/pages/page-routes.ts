import type { Hono } from "hono";
import { frameIcon } from "../../core/html/shell.tsx";
import type { HttpContext, HttpEnvironment } from "../../core/http/environment.ts";
import { requestOrigin } from "../../core/http/origins.ts";
import { addAccountRoutes } from "./account.tsx";
import { iconPath, messagePage } from "./auth-page.tsx";
import { messages } from "./messages.ts";
import type { PageDeps } from "./page-context.ts";
import { clearFlash } from "./page-context.ts";
import { addSignInRoutes } from "./sign-in.tsx";

const paths = ["/", "/sign-in/*", "/sign-out", "/account/*"] as const;

/**
 * The pages. They work without a script: every form is answered by 303 to a page, which reads the
 * result from a cookie, so that nothing is sent twice and no URL contains what was typed. Forms are
 * accepted from our own pages only. They call the same use cases as the API, under the same limits;
 * a page that fails is replaced by an error page.
 */
export function addPageRoutes(app: Hono<HttpEnvironment>, deps: PageDeps): void {
  const { appName, boundary } = deps;
  for (const path of paths) {
    app.use(path, async (context, next) => {
      const isForm = context.req.method === "POST";
      if (isForm && requestOrigin(context, boundary.publicOrigin) !== "same") {
        return messagePage({ appName, messages: messages.elsewhere, href: "/", status: 403 });
      }
      await next();
      if (showsFlash(context)) clearFlash(context, deps);
      return undefined;
    });
  }
  app.get(iconPath, (context) => {
    return context.body(frameIcon(appName), 200, {
      "Content-Type": "image/svg+xml",
      "Cache-Control": "public, max-age=86400",
    });
  });
  addSignInRoutes(app, deps);
  addAccountRoutes(app, deps);
}

function showsFlash(context: HttpContext): boolean {
  return context.req.method === "GET" && context.res.status === 200;
}

interface ShownProblem {
  readonly status: number;
  readonly requestId: string;
  readonly retryAfterSeconds?: number | undefined;
}

/** A problem, as a page for a person. */
export function problemPage(
  appName: string,
  { status, requestId, retryAfterSeconds }: ShownProblem,
  { method, path }: Pick<HttpContext["req"], "method" | "path">,
): Response {
  const headers =
    retryAfterSeconds === undefined ? {} : { "Retry-After": String(retryAfterSeconds) };
  const page = { appName, status, headers };
  const again = method === "GET" ? path : "/";
  if (status === 503) return messagePage({ ...page, messages: messages.unavailable, href: again });
  if (status >= 500) {
    return messagePage({ ...page, messages: messages.fault, reference: requestId, href: again });
  }
  const nowhere = status === 404 || status === 405;
  return messagePage({
    ...page,
    messages: nowhere ? messages.nowhere : messages.refused,
    href: "/",
  });
}
