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
import { callApi } from "./api-client.ts";
import type { PlacedFlash } from "./auth-page.tsx";
import { authPage, FlashView, flashAt } from "./auth-page.tsx";
import type { CodeStep } from "./code-step.tsx";
import { addCodeStep, startCodeStep } from "./code-step.tsx";
import { messages } from "./messages.ts";
import type { PageDeps } from "./page-context.ts";
import { dropPending, formField, readFlash, setFlash } from "./page-context.ts";
import { unavailablePage } from "./problem-page.tsx";

interface DeletionPageOptions {
  readonly appName: string;
  readonly email: string;
  readonly flash: PlacedFlash;
}

/** What a deletion takes away, before the code that proves who asks. */
function deletionPage({ appName, email, flash }: DeletionPageOptions): Response {
  const { deletion } = messages;
  return authPage({
    appName,
    title: deletion.title,
    width: "narrow",
    content: (
      <div class="card stack">
        <h1>{deletion.title}</h1>
        <FlashView note={flash} />
        <p class="lead">{deletion.lead}</p>
        <p class="lead">
          {deletion.proof} <strong class="address">{email}</strong>.
        </p>
        <form method="post" action="/account/delete">
          <Button variant="danger" wide>
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
    request: (context, email) => callApi(app, context, requestEmailOperation, { body: { email } }),
    enter: (context, email, code) =>
      callApi(app, context, verifyEmailOperation, { body: { email, code } }),
    done: (context) => {
      setFlash(context, deps, { place: "email", done: "email_changed" });
      return context.redirect(path, 303);
    },
    refused: (context, { code }) => {
      if (code !== "email_taken") return undefined;
      dropPending(context, deps);
      setFlash(context, deps, { place: "email", failed: code });
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
    request: (context) => callApi(app, context, requestDeletionOperation),
    enter: (context, _email, code) =>
      callApi(app, context, deleteUserOperation, { body: { code } }),
    done: (context) => {
      setFlash(context, deps, { place: "sign_in", done: "account_deleted" });
      return context.redirect("/", 303);
    },
  };
  app.get(path, async (context) => {
    const answer = await callApi(app, context, getUserOperation);
    if (answer.kind === "problem") return unavailablePage(context, deps, answer.problem);
    const flash = flashAt(readFlash(context, deps), "deletion", deps.clock.now());
    return deletionPage({ appName: deps.appName, email: answer.body.email, flash });
  });
  app.post(path, async (context) => {
    const answer = await callApi(app, context, getUserOperation);
    if (answer.kind === "problem") return unavailablePage(context, deps, answer.problem);
    const failedAt = { place: "deletion", path } as const;
    return startCodeStep(context, deps, step, { email: answer.body.email, failedAt });
  });
  addCodeStep(app, deps, step);
}
