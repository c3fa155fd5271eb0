import type { Hono } from "hono";
import type { HttpEnvironment } from "../../core/http/environment.ts";
import { httpErrors } from "../../core/http/error-codes.ts";
import { problemResponse } from "../../core/http/problem.ts";
import { requestOrigin } from "../../core/http/same-origin.ts";
import type { Log } from "../../core/log.ts";
import type { OpsAccess } from "./access.ts";
import { beginSession, endSession, tryToken } from "./access.ts";
import { loginPage } from "./pages/login-page.tsx";
import type { OpsSite } from "./pages/ops-page.tsx";

export interface LoginDeps {
  readonly access: OpsAccess;
  readonly site: OpsSite;
  readonly log: Log;
}

/** `/login` and `/logout`, which who is not signed in may call too: from our own pages alone. */
export function addSiteLogin(app: Hono<HttpEnvironment>, { access, site, log }: LoginDeps): void {
  app.get("/login", (context) =>
    access.token === undefined ? context.redirect("/", 303) : loginPage(site),
  );
  app.post("/login", async (context) => {
    if (requestOrigin(context) !== "same") return problemResponse(context, httpErrors.crossOrigin);
    if (access.token === undefined) return context.redirect("/", 303);
    const token = new URLSearchParams(await context.req.text()).get("token") ?? "";
    const refused = tryToken(context, access, token);
    if (refused === undefined) {
      beginSession(context, access);
      return context.redirect("/", 303);
    }
    log.warn({ client: context.get("client") }, "Login to the operations pages failed");
    const seconds = refused.headers.get("Retry-After");
    const retryAfterSeconds = seconds === null ? undefined : Number(seconds);
    return loginPage(site, { status: refused.status, retryAfterSeconds });
  });
  app.post("/logout", (context) => {
    if (requestOrigin(context) !== "same") return problemResponse(context, httpErrors.crossOrigin);
    endSession(context);
    return context.redirect("/login", 303);
  });
}
