// The pages' routes, and the first page, which asks for an address.
import type { Hono } from "hono";
import { parseEmailAddress } from "../../core/email-address.ts";
import { Button, Field, frameIcon } from "../../core/html/page.tsx";
import { parseFields } from "../../core/http/body.ts";
import { isPlainHttp, requestOrigin } from "../../core/http/client-address.ts";
import { chosenLanguage } from "../../core/http/page-language.ts";
import type { HttpContext, HttpEnvironment } from "../../core/http/problem.ts";
import { requestCodeBody, sendCode } from "../request-code.ts";
import { findSignedIn, signOut } from "../session-routes.ts";
import { signIn, verifyCodeBody } from "../verify-code.ts";
import { addAccountRoutes } from "./account.tsx";
import { EmailInput } from "./address.tsx";
import type { CodeStep } from "./code-step.tsx";
import { addCodeStep, startCodeStep } from "./code-step.tsx";
import type { PageDeps, PageView, PlacedFlash } from "./page-context.tsx";
import {
  attempt,
  authPage,
  FlashView,
  Form,
  flashAt,
  iconPath,
  messagePage,
  pageViewOf,
} from "./page-context.tsx";
import {
  clearShownFlash,
  dropPending,
  formField,
  readFlash,
  readPending,
  setFlash,
} from "./page-state.ts";
import { addUndoRoutes } from "./undo.tsx";

interface SignInPageOptions {
  readonly view: PageView;
  readonly flash: PlacedFlash;
  /** The prefilled address, if known. */
  readonly email: string | undefined;
}

/** The first page: the address to send the code to. */
function signInPage({ view, flash, email }: SignInPageOptions): Response {
  const { signIn } = view.messages;
  const { done, failed, typed } = flash;
  const atField = typed !== undefined && failed !== undefined;
  return authPage({
    view,
    title: signIn.title,
    width: "narrow",
    content: (
      <div class="card stack">
        <h1>{signIn.title}</h1>
        <FlashView flash={atField ? {} : flash} />
        <p class="lead">{signIn.lead}</p>
        <Form action="/sign-in" class="stack">
          <Field
            id="email"
            label={signIn.address}
            error={atField ? failed : undefined}
            input={(attributes) => (
              <EmailInput
                {...attributes}
                {...(done === undefined ? { autofocus: true } : {})}
                value={typed ?? email ?? ""}
              />
            )}
          />
          <Button variant="main" wide>
            {signIn.button}
          </Button>
        </Form>
        <p class="hint">{signIn.newHere}</p>
      </div>
    ),
  });
}

/** `/`: the address, then the code; and signing out. */
function addSignInRoutes(app: Hono<HttpEnvironment>, deps: PageDeps): void {
  const step: CodeStep = {
    purpose: "sign_in",
    send: async (context, typed) => {
      const { email } = parseFields(requestCodeBody, { email: typed });
      await sendCode(context, deps, { email, purpose: "sign_in" });
    },
    enter: (context, { email, form }, code) =>
      signIn(context, deps, parseFields(verifyCodeBody, { email, code }), form),
    done: (context) => context.redirect("/account", 303),
  };
  app.get("/", async (context) => {
    if ((await findSignedIn(context, deps)) !== undefined) return context.redirect("/account", 303);
    const view = pageViewOf(context, deps);
    const flash = flashAt(view, readFlash(context, deps, "sign_in"), "sign_in");
    const pending = readPending(context, deps);
    const email = pending?.purpose === "sign_in" ? pending.email : undefined;
    return signInPage({ view, flash, email });
  });
  app.get("/sign-in", (context) => context.redirect("/", 303));
  app.post("/sign-in", async (context) => {
    const typed = await formField(context, "email");
    const email = parseEmailAddress(typed) ?? typed;
    const failedAt = { place: "sign_in", path: "/" } as const;
    return startCodeStep(context, deps, step, { email, failedAt, typed });
  });
  addCodeStep(app, deps, step);
  app.post("/sign-out", async (context) => {
    const failure = await attempt(context, deps, () => signOut(context, deps));
    if (failure !== undefined) {
      setFlash(context, deps, { place: "sessions", failed: "unavailable" });
      return context.redirect("/account", 303);
    }
    dropPending(context, deps);
    setFlash(context, deps, { place: "sign_in", done: "signed_out" });
    return context.redirect("/", 303);
  });
}

const paths = ["/", "/sign-in/*", "/sign-out", "/account/*"] as const;

/**
 * The pages. They work without a script: every form is answered by 303 to a page, which reads the
 * result from a cookie, so that nothing is sent twice and no URL contains what was typed. Forms are
 * accepted from our own pages only, and none works where the browser would drop our cookies. They
 * call the same use cases as the API, under the same limits; a page that fails is replaced by an error
 * page.
 */
export function addPageRoutes(app: Hono<HttpEnvironment>, deps: PageDeps): void {
  const { appName, boundary } = deps;
  for (const path of paths) {
    app.use(path, async (context, next) => {
      if (deps.secureCookies && isPlainHttp(context)) {
        const href = secureUrlOf(context, boundary.publicOrigin);
        const view = pageViewOf(context, deps);
        return messagePage({ view, messages: view.messages.insecure, href, status: 403 });
      }
      const isForm = context.req.method === "POST";
      if (isForm && requestOrigin(context, boundary.publicOrigin) !== "same") {
        const view = pageViewOf(context, deps);
        return messagePage({ view, messages: view.messages.elsewhere, href: "/", status: 403 });
      }
      context.set("chosenLanguage", chosenLanguage(context));
      await next();
      clearShownFlash(context, deps);
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
  addUndoRoutes(app, deps);
}

/** PUBLIC_URL, else the name under which the browser came, on the usual port. */
function secureUrlOf({ req }: HttpContext, publicOrigin = ""): string {
  if (publicOrigin.startsWith("https:")) return publicOrigin;
  const url = [req.header("Origin") ?? "", req.url].find((text) => URL.canParse(text));
  return url === undefined ? "/" : `https://${new URL(url).hostname}/`;
}

interface ShownProblem {
  readonly status: number;
  readonly requestId: string;
  readonly retryAfterSeconds?: number | undefined;
}

/** A problem, as a page for a person. */
export function problemPage(
  view: PageView,
  { status, requestId, retryAfterSeconds }: ShownProblem,
  { method, path }: Pick<HttpContext["req"], "method" | "path">,
): Response {
  const headers =
    retryAfterSeconds === undefined ? {} : { "Retry-After": String(retryAfterSeconds) };
  const { messages } = view;
  const page = { view, status, headers };
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
