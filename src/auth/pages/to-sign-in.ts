import type { HttpContext } from "../../core/http/environment.ts";
import { clearSessionCookie, sessionTokens } from "../session-credential.ts";
import { leaveNote } from "./page-cookies.ts";
import type { PageDeps } from "./page-deps.ts";

/** To the first page, for who is not signed in; whoever was is told so. */
export function toSignIn(context: HttpContext, deps: PageDeps): Response {
  if (sessionTokens(context).length > 0) {
    clearSessionCookie(context, deps);
    leaveNote(context, deps, { place: "sign_in", failed: "unauthenticated" });
  }
  return context.redirect("/", 303);
}
