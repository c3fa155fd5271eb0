import type { Hono } from "hono";
import { Button, Field } from "../../core/html/controls.tsx";
import type { HttpEnvironment } from "../../core/http/environment.ts";
import { requestOrigin } from "../../core/http/origins.ts";
import { httpErrors, problemResponse } from "../../core/http/problem.ts";
import type { Log } from "../../core/log.ts";
import type { OpsAccess } from "./access.ts";
import { beginSession, checkToken, endSession } from "./access.ts";
import type { OpsSite } from "./ops-page.tsx";
import { opsPage } from "./ops-page.tsx";

/** `retryAfterSeconds`: every token is refused until then. */
function loginPage(
  site: OpsSite,
  failure?: { readonly status: number; readonly retryAfterSeconds?: number | undefined },
): Response {
  const { status = 200, retryAfterSeconds } = failure ?? {};
  const minutes = Math.ceil((retryAfterSeconds ?? 0) / 60);
  const error =
    retryAfterSeconds === undefined
      ? "Wrong token."
      : `Too many wrong tokens. Try again in ${minutes} min.`;
  return opsPage({
    site,
    title: "Sign in",
    place: undefined,
    status,
    content: (
      <div class="card stack">
        <h1>Operator sign-in</h1>
        <p class="lead">Sign in with the OPS_TOKEN that serve-email was started with.</p>
        <form class="stack" method="post" action="/login">
          <input type="text" name="username" value="operator" autocomplete="username" hidden />
          <Field
            id="token"
            label="Token"
            error={failure === undefined ? undefined : error}
            input={(attributes) => (
              <input
                {...attributes}
                name="token"
                type="password"
                autocomplete="current-password"
                maxlength={4096}
                required
              />
            )}
          />
          <Button variant="main" wide>
            Sign in
          </Button>
        </form>
      </div>
    ),
  });
}

interface LoginDeps {
  readonly access: OpsAccess;
  readonly site: OpsSite;
  readonly log: Log;
}

/** `/login` and `/logout`, without authentication, but only for forms of our own pages. */
export function addSiteLogin(app: Hono<HttpEnvironment>, { access, site, log }: LoginDeps): void {
  app.get("/login", (context) =>
    access.token === undefined ? context.redirect("/", 303) : loginPage(site),
  );
  app.post("/login", async (context) => {
    if (requestOrigin(context) !== "same") return problemResponse(context, httpErrors.crossOrigin);
    if (access.token === undefined) return context.redirect("/", 303);
    const token = new URLSearchParams(await context.req.text()).get("token") ?? "";
    const refused = checkToken(context, access, token);
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
