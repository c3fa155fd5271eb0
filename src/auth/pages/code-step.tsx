import type { Hono } from "hono";
import type { FieldAttributes } from "../../core/html/controls.tsx";
import { Button, Field } from "../../core/html/controls.tsx";
import type { HttpContext, HttpEnvironment } from "../../core/http/environment.ts";
import type { CodePolicy, CodePurpose } from "../codes/code.ts";
import type { ApiAnswer, ApiProblem } from "./api-client.ts";
import { authPage, FlashView, failureFlash, flashAt, messagePage } from "./auth-page.tsx";
import { formatLeft, messages } from "./messages.ts";
import type { Flash, PageDeps, PendingCode } from "./page-context.ts";
import {
  dropPending,
  formField,
  keepPending,
  readFlash,
  readPending,
  setFlash,
  toSignIn,
} from "./page-context.ts";

/**
 * One input whose digits fall into six boxes drawn behind it: for a keyboard, a paste, a filled-in
 * code and a screen reader it is one field, with or without the script that marks the next box.
 * It takes more than six characters, so that a pasted "123 456" is not cut.
 */
function CodeInput({ attributes }: { readonly attributes: FieldAttributes }) {
  return (
    <code-field data-hint={messages.code.pasteHint}>
      <span class="boxes" aria-hidden="true">
        {Array.from({ length: 6 }, () => (
          <span />
        ))}
      </span>
      <input
        {...attributes}
        {...{ autofocus: true }}
        name="code"
        type="text"
        inputmode="numeric"
        autocomplete="one-time-code"
        required
        maxlength={32}
        spellcheck={false}
      />
    </code-field>
  );
}

interface CodePageOptions {
  readonly appName: string;
  readonly pending: PendingCode;
  readonly flash: Flash | undefined;
  readonly now: number;
  readonly policy: CodePolicy;
  /** Where the mail can be read, on a developer's machine. */
  readonly inboxUrl: string | undefined;
}

/** Where each purpose's code is entered, asked for again, and given up. */
const codePaths: Readonly<
  Record<CodePurpose, { readonly enter: string; readonly again: string; readonly back: string }>
> = {
  sign_in: { enter: "/sign-in/code", again: "/sign-in/again", back: "/" },
  change_email: {
    enter: "/account/email/code",
    again: "/account/email/again",
    back: "/account",
  },
  delete_account: {
    enter: "/account/delete/code",
    again: "/account/delete/again",
    back: "/account",
  },
};

/** Where a code is entered; while its address is locked, how long that lasts and what to do. */
function codePage(options: CodePageOptions): Response {
  const { appName, pending, now } = options;
  const { purpose, lockedUntil = 0 } = pending;
  const { title, back } = messages.purposes[purpose];
  const locked = lockedUntil > now;
  return authPage({
    appName,
    title: locked ? messages.code.lockedTitle : title,
    width: "narrow",
    content: (
      <div class="card stack">
        {locked ? (
          <Locked leftMs={lockedUntil - now} path={codePaths[purpose].enter} />
        ) : (
          <Entry {...options} />
        )}
        <p>
          <a href={codePaths[purpose].back}>{back}</a>
        </p>
      </div>
    ),
  });
}

function Entry({ pending, flash, now, policy, inboxUrl }: CodePageOptions) {
  const { purpose, email, nextAt } = pending;
  const { title, button } = messages.purposes[purpose];
  const { failed } = flashAt(flash, "code", now);
  return (
    <>
      <h1>{title}</h1>
      <FlashView note={flashAt(flash, "step", now)} />
      <p class="lead">
        {messages.code.sent} <strong class="address">{email}</strong>.{" "}
        {messages.code.validity(formatLeft(policy.lifetimeMs))}
      </p>
      <form method="post" action={codePaths[purpose].enter} class="stack" novalidate>
        <Field
          id="code"
          label={messages.code.label}
          error={failed}
          input={(attributes) => <CodeInput attributes={attributes} />}
        />
        <Button variant={purpose === "delete_account" ? "danger" : "main"} wide>
          {button}
        </Button>
      </form>
      <Resend path={codePaths[purpose].again} waitMs={nextAt - now} />
      {inboxUrl !== undefined && (
        <p class="development">
          {messages.code.development}{" "}
          <a href={inboxUrl} target="_blank" rel="noreferrer">
            {messages.code.inbox}
          </a>
        </p>
      )}
    </>
  );
}

function Resend({ path, waitMs }: { readonly path: string; readonly waitMs: number }) {
  const seconds = Math.max(0, Math.ceil(waitMs / 1000));
  return (
    <div class="resend">
      <p class="hint">{messages.code.noMail}</p>
      <wait-for seconds={String(seconds)}>
        <form method="post" action={path}>
          <Button variant="link">{messages.code.again}</Button>
        </form>
        <p class="hint" data-template={messages.code.wait}>
          {seconds > 0 && messages.code.wait.replace("{left}", formatLeft(waitMs))}
        </p>
      </wait-for>
    </div>
  );
}

function Locked({ leftMs, path }: { readonly leftMs: number; readonly path: string }) {
  const { code } = messages;
  return (
    <>
      <h1>{code.lockedTitle}</h1>
      <p class="lead">{code.locked(formatLeft(leftMs))}</p>
      <p class="hint">{code.lockedElse}</p>
      <wait-for seconds={String(Math.ceil(leftMs / 1000))} then="reload">
        <p class="clock" data-template={code.unlocks}>
          <a href={path}>{code.checkAgain}</a>
        </p>
      </wait-for>
    </>
  );
}

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
    if (pending === undefined) return messagePage({ appName, messages: messages.lost, href: back });
    const flash = readFlash(context, deps);
    return codePage({ appName, pending, flash, now: clock.now(), policy, inboxUrl: inboxUrl() });
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
  readonly failedAt: { readonly place: Flash["place"]; readonly path: string };
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
      setFlash(context, deps, { place: "step", done });
    }
    return context.redirect(enter, 303);
  }
  const { problem } = answer;
  if (problem.code === "unauthenticated") return toSignIn(context, deps);
  const isRateLimited = problem.code === "too_many_codes";
  const { place, path } = isRateLimited ? ({ place: "step", path: enter } as const) : failedAt;
  if (isRateLimited) keep(now + (problem.retryAfterSeconds ?? 0) * 1000);
  const flash = failureFlash(problem, { place, invalid: "email_invalid", now });
  setFlash(context, deps, typed === undefined || isRateLimited ? flash : { ...flash, typed });
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
  if (problem.code === "too_many_attempts" || problem.scope === "attempts-per-email") {
    const lockedUntil = now + (problem.retryAfterSeconds ?? 0) * 1000;
    keepPending(context, deps, { ...pending, lockedUntil });
  } else {
    const place = problem.status >= 429 ? "step" : "code";
    setFlash(context, deps, failureFlash(problem, { place, invalid: "code_shape", now }));
  }
  return context.redirect(codePaths[step.purpose].enter, 303);
}
