import type { HttpContext } from "../../core/http/environment.ts";
import type { ApiProblem } from "./api-client.ts";
import { messagePage } from "./auth-page.tsx";
import { messages } from "./messages.ts";
import type { PageDeps } from "./page-context.ts";
import { toSignIn } from "./page-context.ts";

interface ShownProblem {
  readonly status: number;
  readonly requestId: string;
  readonly retryAfterSeconds?: number | undefined;
}

/** What a person is shown where a program would be told a problem. */
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

/** In place of a page that cannot be made: to sign in, or to try again when a store is back. */
export function unavailablePage(
  context: HttpContext,
  deps: PageDeps,
  problem: ApiProblem,
): Response {
  if (problem.code === "unauthenticated") return toSignIn(context, deps);
  const requestId = context.get("requestId");
  return problemPage(deps.appName, { ...problem, requestId }, context.req);
}
