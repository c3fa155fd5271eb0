import type { HttpContext } from "../../core/http/environment.ts";
import type { ApiProblem } from "./api-client.ts";
import type { PageDeps } from "./page-deps.ts";
import { problemPage } from "./problem-page.ts";
import { toSignIn } from "./to-sign-in.ts";

/** In place of a page that cannot be made: to sign in, or to try again when a store is back. */
export function awayPage(context: HttpContext, deps: PageDeps, problem: ApiProblem): Response {
  if (problem.code === "unauthenticated") return toSignIn(context, deps);
  const requestId = context.get("requestId");
  return problemPage(deps.appName, { ...problem, requestId }, context.req);
}
