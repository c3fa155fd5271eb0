import type { Hono } from "hono";
import { parseEmailAddress } from "../../core/email-address.ts";
import { Button } from "../../core/html/controls.tsx";
import { parseFields } from "../../core/http/body.ts";
import type { HttpEnvironment } from "../../core/http/environment.ts";
import { confirmEmail, sendEmailCode, verifyEmailBody } from "../change-email.ts";
import { findSignedIn, getSignedIn } from "../current-session.ts";
import { confirmDeletion, deleteUserBody } from "../delete-user.ts";
import { authErrors } from "../error-codes.ts";
import { requestCodeBody, sendCode } from "../request-code.ts";
import type { PlacedNote } from "./auth-page.tsx";
import { authPage, NoteView, noteAt } from "./auth-page.tsx";
import type { CodeStep } from "./code-step.tsx";
import { addCodeStep, startCodeStep } from "./code-step.tsx";
import { words } from "./messages.ts";
import type { PageDeps } from "./page-context.ts";
import { dropPending, formField, leaveNote, readNote, toSignIn } from "./page-context.ts";

interface DeletionPageOptions {
  readonly appName: string;
  readonly email: string;
  readonly note: PlacedNote;
}

/** What a deletion deletes, before the code that proves whose account it is. */
function deletionPage({ appName, email, note }: DeletionPageOptions): Response {
  const { deletion } = words;
  return authPage({
    appName,
    title: deletion.title,
    width: "narrow",
    content: (
      <div class="card stack">
        <h1>{deletion.title}</h1>
        <NoteView note={note} />
        <p class="lead">{deletion.lead}</p>
        <p class="lead">
          {deletion.proof} <strong class="address">{email}</strong>.
        </p>
        <form method="post" action="/account/delete">
          <Button look="danger" wide>
            {deletion.button}
          </Button>
        </form>
        <p class="after">
          <a href="/account">{deletion.back}</a>
        </p>
      </div>
    ),
  });
}

/** What needs a code: changing the address, and deleting the account. */
export function addConfirmedRoutes(app: Hono<HttpEnvironment>, deps: PageDeps): void {
  addEmailChange(app, deps);
  addDeletion(app, deps);
}

function addEmailChange(app: Hono<HttpEnvironment>, deps: PageDeps): void {
  const path = "/account#email";
  const step: CodeStep = {
    purpose: "change_email",
    send: async (context, typed) => {
      const { user } = await getSignedIn(context, deps);
      const { email } = parseFields(requestCodeBody, { email: typed });
      await sendEmailCode(context, deps, { user, email });
    },
    enter: async (context, email, code) => {
      const { user } = await getSignedIn(context, deps);
      const entered = parseFields(verifyEmailBody, { email, code });
      await confirmEmail(context, deps, { user, ...entered });
    },
    done: (context) => {
      leaveNote(context, deps, { place: "email", done: "email_changed" });
      return context.redirect(path, 303);
    },
    refused: (context, { row }) => {
      if (row.code !== authErrors.emailTaken.code) return undefined;
      dropPending(context, deps);
      leaveNote(context, deps, { place: "email", failed: "email_taken" });
      return context.redirect(path, 303);
    },
  };
  app.post("/account/email", async (context) => {
    const typed = await formField(context, "email");
    const email = parseEmailAddress(typed) ?? typed;
    const failedAt = { place: "email", path } as const;
    return startCodeStep(context, deps, step, { email, failedAt, typed });
  });
  addCodeStep(app, deps, step);
}

function addDeletion(app: Hono<HttpEnvironment>, deps: PageDeps): void {
  const path = "/account/delete";
  const step: CodeStep = {
    purpose: "delete_account",
    send: async (context) => {
      const { email } = (await getSignedIn(context, deps)).user;
      await sendCode(context, deps, { email, purpose: "delete_account" });
    },
    enter: async (context, _email, typed) => {
      const signedIn = await getSignedIn(context, deps);
      const { code } = parseFields(deleteUserBody, { code: typed });
      await confirmDeletion(context, deps, { ...signedIn, code });
    },
    done: (context) => {
      leaveNote(context, deps, { place: "sign_in", done: "account_deleted" });
      return context.redirect("/", 303);
    },
  };
  app.get(path, async (context) => {
    const signedIn = await findSignedIn(context, deps);
    if (signedIn === undefined) return toSignIn(context, deps);
    const note = noteAt(readNote(context, deps), "deletion", deps.clock.now());
    return deletionPage({ appName: deps.appName, email: signedIn.user.email, note });
  });
  app.post(path, async (context) => {
    const signedIn = await findSignedIn(context, deps);
    if (signedIn === undefined) return toSignIn(context, deps);
    const failedAt = { place: "deletion", path } as const;
    return startCodeStep(context, deps, step, { email: signedIn.user.email, failedAt });
  });
  addCodeStep(app, deps, step);
}
