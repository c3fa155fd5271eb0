import type { Hono } from "hono";
import { frameIcon } from "../../core/html/shell.tsx";
import type { HttpContext, HttpEnvironment } from "../../core/http/environment.ts";
import { requestOrigin } from "../../core/http/origins.ts";
import { addAccountRoutes } from "./account.tsx";
import { iconPath, messagePage } from "./auth-page.tsx";
import { addConfirmedRoutes } from "./confirmed.tsx";
import { messages } from "./messages.ts";
import type { PageDeps } from "./page-context.ts";
import { clearFlash } from "./page-context.ts";
import { addSignInRoutes } from "./sign-in.tsx";

const paths = ["/", "/sign-in/*", "/sign-out", "/account/*"] as const;

/**
 * The pages. They work without a script: every form is answered by 303 to a page, and what became of
 * it waits there in a cookie, so that nothing is sent twice and no URL holds what was typed. Forms
 * are taken from our own pages alone. To the API a page is one client among others.
 */
export function addPageRoutes(app: Hono<HttpEnvironment>, deps: PageDeps): void {
  for (const path of paths) {
    app.use(path, async (context, next) => {
      if (context.req.method === "POST" && requestOrigin(context, deps.publicOrigin) !== "same") {
        const { appName } = deps;
        return messagePage({ appName, messages: messages.elsewhere, href: "/", status: 403 });
      }
      await next();
      if (showsFlash(context)) clearFlash(context, deps);
      return undefined;
    });
  }
  app.get(iconPath, (context) => {
    return context.body(frameIcon(deps.appName), 200, {
      "Content-Type": "image/svg+xml",
      "Cache-Control": "public, max-age=86400",
    });
  });
  addSignInRoutes(app, deps);
  addAccountRoutes(app, deps);
  addConfirmedRoutes(app, deps);
}

function showsFlash(context: HttpContext): boolean {
  return context.req.method === "GET" && context.res.status === 200;
}
