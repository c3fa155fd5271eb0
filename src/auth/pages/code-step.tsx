import type { Hono } from "hono";
import { addressFault } from "../../core/email-address.ts";
import { InstantError } from "../../core/errors.ts";
import type { Failure, HttpContext, HttpEnvironment } from "../../core/http/problem.ts";
import { randomToken } from "../../core/secret.ts";
import { deviceOf } from "../known-devices.ts";
import { lockedSeconds } from "../rate-limited.ts";
import { authErrors, findCode } from "../schemas.ts";
import { findSignedIn, getSignedIn } from "../session-routes.ts";
import type { StepPurpose } from "./code-page.tsx";
import { codePage, codePaths } from "./code-page.tsx";
import type { PageDeps } from "./page-context.tsx";
import { attempt, failureFlash, leaveStaleTab, messagePage, pageViewOf } from "./page-context.tsx";
import type { Flash, PendingCode } from "./page-state.ts";
import {
  accountSwitched,
  dropPending,
  formField,
  getShownUser,
  keepPending,
  readFlash,
  readPending,
  readShownPending,
  setFlash,
  signShownFor,
} from "./page-state.ts";

/** The differences between the three purposes of a code. */
export interface CodeStep {
  readonly purpose: StepPurpose;
  /** Where the second code was sent, if the step takes two. */
  findCurrentEmail?(context: HttpContext): Promise<string | undefined>;
  /** Both throw the problem, as the use cases do. */
  send(context: HttpContext, email: string): Promise<unknown>;
  /** `currentCode`: "" where there is no such field. */
  enter(
    context: HttpContext,
    pending: PendingCode,
    code: string,
    currentCode: string,
  ): Promise<unknown>;
  /** The response to a right code. */
  done(context: HttpContext): Response;
  /** A failure that another code would not fix; undefined: the code itself failed. */
  refused?(context: HttpContext, failure: Failure): Response | undefined;
}

/** The page where a code is entered, and its two forms: the code, and requesting another one. */
export function addCodeStep(app: Hono<HttpEnvironment>, deps: PageDeps, step: CodeStep): void {
  const { purpose } = step;
  const { enter, again, back } = codePaths[purpose];
  app.get(enter, async (context) => {
    const { codes, inboxUrl } = deps;
    const view = pageViewOf(context, deps);
    const pending = readPending(context, deps);
    const signedIn = await findSignedIn(context, deps);
    if (pending === undefined && purpose === "sign_in" && signedIn !== undefined) {
      return context.redirect("/account", 303); // the form was sent twice
    }
    const userId = purpose === "sign_in" ? undefined : signedIn?.user.id;
    if (pending?.purpose !== purpose || pending.userId !== userId) {
      return messagePage({ view, messages: view.messages.lost, href: back });
    }
    const { email, lockedUntil: seenUntil = 0 } = pending;
    const device = deviceOf(context, deps, email);
    const lockedUntil = seenUntil > view.now ? await codes.lockedUntil({ email, device }) : 0;
    const currentEmail = await step.findCurrentEmail?.(context);
    const flash = readFlash(context, deps, "code", "current_code", "step");
    const shown = { view, pending: { ...pending, lockedUntil }, currentEmail, flash, inboxUrl };
    const shownFor = signShownFor(deps, pending);
    return codePage({ ...shown, shownFor, policy: codes.policy });
  });
  app.post(again, async (context) => {
    const pending = await readShownPending(context, deps);
    if (pending?.purpose !== purpose) return context.redirect(enter, 303);
    const { email } = pending;
    const failedAt = { place: "step", path: enter } as const;
    return startCodeStep(context, deps, step, { email, before: pending, failedAt });
  });
  app.post(enter, async (context) => {
    const pending = await readShownPending(context, deps);
    if (pending?.purpose !== purpose) return context.redirect(enter, 303);
    const typed = await formField(context, "code");
    const typedCurrent = await formField(context, "current_code");
    const code = findCode(typed) ?? typed;
    const currentCode = findCode(typedCurrent) ?? typedCurrent;
    const failure = await attempt(context, deps, async () => {
      await requireUserOf(context, deps, pending);
      await step.enter(context, pending, code, currentCode);
    });
    if (failure !== undefined) return refuse(context, deps, step, { pending, failure });
    dropPending(context, deps, pending);
    return step.done(context);
  });
}

/** Throws when another user is signed in than the one who asked for the code. */
async function requireUserOf(
  context: HttpContext,
  deps: PageDeps,
  { purpose, userId }: PendingCode,
): Promise<void> {
  if (purpose === "sign_in") return;
  const { user } = await getSignedIn(context, deps);
  if (user.id !== userId) throw new InstantError(accountSwitched);
}

interface Start {
  readonly email: string;
  /** The step that the form belongs to; that of the browser when left out. */
  readonly before?: PendingCode;
  /** The place where a failure is shown. */
  readonly failedAt: { readonly place: Flash["place"]; readonly path: string };
  readonly typed?: string;
}

/**
 * Requests a code and redirects to the page where it is entered; also when the address has had too
 * many codes, because an earlier one may still be valid.
 */
export async function startCodeStep(
  context: HttpContext,
  deps: PageDeps,
  { purpose, send }: CodeStep,
  { email, failedAt, typed, before = readPending(context, deps) }: Start,
): Promise<Response> {
  const now = deps.clock.now();
  const { enter } = codePaths[purpose];
  let userId: string | undefined;
  const failure = await attempt(context, deps, async () => {
    if (purpose !== "sign_in") userId = (await getShownUser(context, deps)).user.id;
    await send(context, email);
  });
  const same = before?.purpose === purpose && before.email === email ? before : undefined;
  const form = same?.form ?? randomToken();
  const keep = (nextAt: number) => {
    keepPending(context, deps, { ...same, purpose, email, userId, nextAt, form });
  };
  if (failure === undefined) {
    const repeated = same !== undefined && same.nextAt > now;
    keep(repeated ? same.nextAt : now + deps.codes.policy.repeatWindowMs);
    if (same !== undefined) {
      const done = repeated ? "code_sent_already" : "code_sent";
      setFlash(context, deps, { place: "step", done });
    }
    return context.redirect(enter, 303);
  }
  const stale = leaveStaleTab(context, deps, failure);
  if (stale !== undefined) return stale;
  const isRateLimited = failure.row.code === "too_many_codes";
  const { place, path } = isRateLimited ? ({ place: "step", path: enter } as const) : failedAt;
  if (isRateLimited) keep(now + (failure.retryAfterSeconds ?? 0) * 1000);
  const isUnseen = typed !== undefined && addressFault(typed) === "unseen";
  const invalid = isUnseen ? "email_unseen" : "email_invalid";
  const flash = failureFlash(failure, { place, invalid, now });
  setFlash(context, deps, typed === undefined || isRateLimited ? flash : { ...flash, typed });
  return context.redirect(path, 303);
}

interface Refusal {
  readonly pending: PendingCode;
  readonly failure: Failure;
}

function refuse(
  context: HttpContext,
  deps: PageDeps,
  step: CodeStep,
  { pending, failure }: Refusal,
): Response {
  const elsewhere = step.refused?.(context, failure);
  if (elsewhere !== undefined) return elsewhere;
  const stale = leaveStaleTab(context, deps, failure);
  if (stale !== undefined) return stale;
  const now = deps.clock.now();
  const locked = lockedSeconds(failure);
  if (locked !== undefined) {
    keepPending(context, deps, { ...pending, lockedUntil: now + locked * 1000 });
  } else {
    keepPending(context, deps, pending); // another tab's may be kept
    const place = placeOf(failure);
    setFlash(context, deps, failureFlash(failure, { place, invalid: "code_shape", now }));
  }
  return context.redirect(codePaths[step.purpose].enter, 303);
}

/** The field whose code failed, or the page when it was neither. */
function placeOf({ row, errors }: Failure): Flash["place"] {
  const { currentCodeInvalid, currentCodeRequired } = authErrors;
  if (row.status >= 429 && row.code !== "validation_failed") return "step";
  if (row.code === currentCodeRequired.code) return "step";
  const isCurrent = errors?.every(({ field }) => field === "current_code") === true;
  return isCurrent || row.code === currentCodeInvalid.code ? "current_code" : "code";
}
