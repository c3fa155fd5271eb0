import type { HttpContext } from "../../core/http/environment.ts";
import type { ApiProblem } from "./api-client.ts";
import { messagePage } from "./message-page.tsx";
import type { PageDeps } from "./page-deps.ts";
import { toSignIn } from "./to-sign-in.ts";
import { words } from "./words.ts";

const retryAfterSecondsDefault = 5;

/** In place of a page that cannot be made: to sign in, or to try again when a store is back. */
export function awayPage(context: HttpContext, deps: PageDeps, problem: ApiProblem): Response {
  if (problem.code === "unauthenticated") return toSignIn(context, deps);
  return messagePage({
    appName: deps.appName,
    words: words.away,
    href: context.req.path, // of a page, or of a form that has its page there
    status: problem.status >= 500 ? problem.status : 503,
    headers: { "Retry-After": String(problem.retryAfterSeconds ?? retryAfterSecondsDefault) },
  });
}
