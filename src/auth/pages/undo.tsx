import type { Hono } from "hono";
import { isInstantError } from "../../core/errors.ts";
import { Button } from "../../core/html/page.tsx";
import type { HttpContext, HttpEnvironment } from "../../core/http/problem.ts";
import { maskEmail } from "../../core/log.ts";
import { findUndo, undoEmailChange, undoPath } from "../email-change.ts";
import { authErrors } from "../schemas.ts";
import { signOut } from "../session-routes.ts";
import { Address } from "./address.tsx";
import type { PageDeps, PageView } from "./page-context.tsx";
import { authPage, messagePage, pageViewOf } from "./page-context.tsx";
import { setFlash } from "./page-state.ts";

/** Explains what will happen. The address is masked: the link may have been passed on. */
function undoPage(view: PageView, email: string): Response {
  const { undo } = view.messages;
  return authPage({
    view,
    title: undo.title,
    width: "narrow",
    content: (
      <div class="card stack">
        <h1>{undo.title}</h1>
        <p class="lead">
          {undo.lead}{" "}
          <strong>
            <Address email={maskEmail(email)} />
          </strong>
        </p>
        <p class="lead">{undo.ends}</p>
        <form method="post">
          <Button variant="main" wide>
            {undo.button}
          </Button>
        </form>
      </div>
    ),
  });
}

/**
 * The link in the notice of a changed address. GET changes nothing, because mail scanners open links;
 * the form does. The token alone says whose account it is, so any session of this browser ends too.
 */
export function addUndoRoutes(app: Hono<HttpEnvironment>, deps: PageDeps): void {
  const path = `${undoPath}/:token`;
  const tokenOf = (context: HttpContext) => context.req.param("token") ?? "";
  app.get(path, (context) =>
    explainRefusal(context, deps, async (view) => {
      const { email } = await findUndo(deps, tokenOf(context));
      return undoPage(view, email);
    }),
  );
  app.post(path, (context) =>
    explainRefusal(context, deps, async () => {
      await undoEmailChange(context, deps, tokenOf(context));
      await signOut(context, deps);
      setFlash(context, deps, { place: "sign_in", done: "email_restored" });
      return context.redirect("/", 303);
    }),
  );
}

async function explainRefusal(
  context: HttpContext,
  deps: PageDeps,
  act: (view: PageView) => Promise<Response>,
): Promise<Response> {
  const view = pageViewOf(context, deps);
  const { messages } = view;
  try {
    return await act(view);
  } catch (error) {
    const page = { view, href: "/" };
    if (isInstantError(error, authErrors.undoInvalid)) {
      return messagePage({ ...page, messages: messages.undoInvalid, status: 410 });
    }
    if (isInstantError(error, authErrors.emailTaken)) {
      return messagePage({ ...page, messages: messages.undoTaken, status: 409 });
    }
    throw error;
  }
}
