import type { Hono } from "hono";
import { parseEmailAddress } from "../../core/email-address.ts";
import type { HttpEnvironment } from "../../core/http/environment.ts";
import {
  deleteUserOperation,
  getUserOperation,
  requestDeletionOperation,
  requestEmailOperation,
  verifyEmailOperation,
} from "../user-operations.ts";
import { askApi } from "./api-client.ts";
import { awayPage } from "./away-page.ts";
import type { CodeStep } from "./code-step.ts";
import { addCodeStep, startCodeStep } from "./code-step.ts";
import { deletionPage } from "./deletion-page.tsx";
import { formField } from "./form-field.ts";
import { noteAt } from "./note-view.tsx";
import { dropPending, leaveNote, readNote } from "./page-cookies.ts";
import type { PageDeps } from "./page-deps.ts";

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
