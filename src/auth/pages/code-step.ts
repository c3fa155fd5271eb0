import type { Hono } from "hono";
import type { HttpContext, HttpEnvironment } from "../../core/http/environment.ts";
import type { CodePurpose } from "../codes/code.ts";
import type { ApiAnswer, ApiProblem } from "./api-client.ts";
import { codePage, codePaths } from "./code-page.tsx";
import { failureNote } from "./failure.ts";
import { formField } from "./form-field.ts";
import { messagePage } from "./message-page.tsx";
import type { Note, PendingCode } from "./page-cookies.ts";
import { dropPending, keepPending, leaveNote, readNote, readPending } from "./page-cookies.ts";
import type { PageDeps } from "./page-deps.ts";
import { toSignIn } from "./to-sign-in.ts";
import { words } from "./words.ts";

/** What differs between the three things that a code confirms. */
export interface CodeStep {
  readonly purpose: CodePurpose;
  request(context: HttpContext, email: string): Promise<ApiAnswer<unknown>>;
  enter(context: HttpContext, email: string, code: string): Promise<ApiAnswer<unknown>>;
  /** After the code was right. */
  done(context: HttpContext): Response;
  /** A problem that the page of the code cannot mend; undefined: it is of the code. */
  refused?(context: HttpContext, problem: ApiProblem): Response | undefined;
}

/** The page where a code is entered, and its two forms: the code, and asking for another one. */
export function addCodeStep(app: Hono<HttpEnvironment>, deps: PageDeps, step: CodeStep): void {
  const { purpose } = step;
  const { enter, again, back } = codePaths[purpose];
  const pendingOf = (context: HttpContext) => {
    const pending = readPending(context, deps);
    return pending?.purpose === purpose ? pending : undefined;
  };
  app.get(enter, (context) => {
    const { appName, clock, codePolicy: policy, inboxUrl } = deps;
    const pending = pendingOf(context);
    if (pending === undefined) return messagePage({ appName, words: words.lost, href: back });
    const note = readNote(context, deps);
    return codePage({ appName, pending, note, now: clock.now(), policy, inboxUrl: inboxUrl() });
  });
  app.post(again, async (context) => {
    const pending = pendingOf(context);
    if (pending === undefined) return context.redirect(enter, 303);
    const place = { failedAt: { place: "step", path: enter } } as const;
    return startCodeStep(context, deps, step, { email: pending.email, ...place });
  });
  app.post(enter, async (context) => {
    const pending = pendingOf(context);
    if (pending === undefined) return context.redirect(enter, 303);
    const answer = await step.enter(context, pending.email, await formField(context, "code"));
    if (answer.kind === "problem") {
      return refuse(context, deps, step, { pending, problem: answer.problem });
    }
    dropPending(context, deps);
    return step.done(context);
  });
}

interface Start {
  readonly email: string;
  /** Where it is told that no code can be had. */
  readonly failedAt: { readonly place: Note["place"]; readonly path: string };
  readonly typed?: string;
}

/**
 * Asks for a code and goes where it is entered. There too when the address has had its codes: the
 * earlier ones may be at hand, and still good.
 */
export async function startCodeStep(
  context: HttpContext,
  deps: PageDeps,
  { purpose, request }: CodeStep,
  { email, failedAt, typed }: Start,
): Promise<Response> {
  const now = deps.clock.now();
  const { enter } = codePaths[purpose];
  const answer = await request(context, email);
  const before = readPending(context, deps);
  const same = before?.purpose === purpose && before.email === email ? before : undefined;
  const keep = (nextAt: number) => {
    keepPending(context, deps, { ...same, purpose, email, nextAt });
  };
  if (answer.kind === "ok") {
    const repeated = same !== undefined && same.nextAt > now;
    keep(repeated ? same.nextAt : now + deps.codePolicy.repeatWindowMs);
    if (same !== undefined) {
      const done = repeated ? "code_sent_already" : "code_sent";
      leaveNote(context, deps, { place: "step", done });
    }
    return context.redirect(enter, 303);
  }
  const { problem } = answer;
  if (problem.code === "unauthenticated") return toSignIn(context, deps);
  const spent = problem.code === "too_many_codes";
  const { place, path } = spent ? ({ place: "step", path: enter } as const) : failedAt;
  if (spent) keep(now + (problem.retryAfterSeconds ?? 0) * 1000);
  const note = failureNote(problem, { place, invalid: "email_invalid", now });
  leaveNote(context, deps, typed === undefined || spent ? note : { ...note, typed });
  return context.redirect(path, 303);
}

interface Refusal {
  readonly pending: PendingCode;
  readonly problem: ApiProblem;
}

function refuse(
  context: HttpContext,
  deps: PageDeps,
  step: CodeStep,
  { pending, problem }: Refusal,
): Response {
  const elsewhere = step.refused?.(context, problem);
  if (elsewhere !== undefined) return elsewhere;
  if (problem.code === "unauthenticated") return toSignIn(context, deps);
  const now = deps.clock.now();
  // The wrong code that spends the last try says so: the address is locked from now on.
  if (problem.code === "too_many_tries" || problem.scope === "tries-per-email") {
    const lockedUntil = now + (problem.retryAfterSeconds ?? 0) * 1000;
    keepPending(context, deps, { ...pending, lockedUntil });
  } else {
    const place = problem.status >= 429 ? "step" : "code";
    leaveNote(context, deps, failureNote(problem, { place, invalid: "code_shape", now }));
  }
  return context.redirect(codePaths[step.purpose].enter, 303);
}
