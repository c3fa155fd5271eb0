import type { Hono } from "hono";
import { parseEmailAddress } from "../../core/email-address.ts";
import { Button } from "../../core/html/controls.tsx";
import type { HttpEnvironment } from "../../core/http/environment.ts";
import {
  deleteUserOperation,
  getUserOperation,
  requestDeletionOperation,
  requestEmailOperation,
  verifyEmailOperation,
} from "../user-routes.ts";
import { askApi } from "./api-client.ts";
import type { PlacedNote } from "./auth-page.tsx";
import { authPage, NoteView, noteAt } from "./auth-page.tsx";
import type { CodeStep } from "./code-step.tsx";
import { addCodeStep, startCodeStep } from "./code-step.tsx";
import { words } from "./messages.ts";
import type { PageDeps } from "./page-context.ts";
import { dropPending, formField, leaveNote, readNote } from "./page-context.ts";
import { awayPage } from "./problem-page.tsx";

interface DeletionPageOptions {
  readonly appName: string;
  readonly email: string;
  readonly note: PlacedNote;
}

/** What a deletion takes away, before the code that proves who asks. */
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

/** What an account does only with a code: another address, and its end. */
export function addConfirmedRoutes(app: Hono<HttpEnvironment>, deps: PageDeps): void {
  addEmailChange(app, deps);
  addDeletion(app, deps);
}

function addEmailChange(app: Hono<HttpEnvironment>, deps: PageDeps): void {
  const path = "/account#email";
  const step: CodeStep = {
    purpose: "change_email",
    request: (context, email) => askApi(app, context, requestEmailOperation, { body: { email } }),
    enter: (context, email, code) =>
      askApi(app, context, verifyEmailOperation, { body: { email, code } }),
    done: (context) => {
      leaveNote(context, deps, { place: "email", done: "email_changed" });
      return context.redirect(path, 303);
    },
    refused: (context, { code }) => {
      if (code !== "email_taken") return undefined;
      dropPending(context, deps);
      leaveNote(context, deps, { place: "email", failed: code });
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
    request: (context) => askApi(app, context, requestDeletionOperation),
    enter: (context, _email, code) => askApi(app, context, deleteUserOperation, { body: { code } }),
    done: (context) => {
      leaveNote(context, deps, { place: "sign_in", done: "account_deleted" });
      return context.redirect("/", 303);
    },
  };
  app.get(path, async (context) => {
    const answer = await askApi(app, context, getUserOperation);
    if (answer.kind === "problem") return awayPage(context, deps, answer.problem);
    const note = noteAt(readNote(context, deps), "deletion", deps.clock.now());
    return deletionPage({ appName: deps.appName, email: answer.body.email, note });
  });
  app.post(path, async (context) => {
    const answer = await askApi(app, context, getUserOperation);
    if (answer.kind === "problem") return awayPage(context, deps, answer.problem);
    const failedAt = { place: "deletion", path } as const;
    return startCodeStep(context, deps, step, { email: answer.body.email, failedAt });
  });
  addCodeStep(app, deps, step);
}
