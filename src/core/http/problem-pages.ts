import type { MiddlewareHandler } from "hono";
import { accepts } from "hono/accepts";
import type { HttpContext, HttpEnvironment } from "./environment.ts";
import type { Problem } from "./problem.ts";

/** A problem as a page, for a person; undefined: it stays as it is. */
export type DrawProblem = (problem: Problem, context: HttpContext) => Response | undefined;

const problemType = "application/problem+json";

/**
 * Shows problems as pages to whoever asks for `text/html` by name: browsers that go somewhere or send
 * a form, and no program. Status and headers are those of the problem.
 */
export function problemPages(draw: DrawProblem): MiddlewareHandler<HttpEnvironment> {
  return async function problemPages(context, next) {
    await next();
    if (context.res.ok) return;
    if (context.res.headers.get("Content-Type") !== problemType) return;
    const supports = [problemType, "text/html"];
    const wanted = accepts(context, { header: "Accept", supports, default: problemType });
    if (wanted !== "text/html") return;
    const problem = (await context.res.clone().json()) as Problem;
    const page = draw(problem, context);
    if (page !== undefined) context.res = page; // Hono keeps the headers that were there
  };
}
