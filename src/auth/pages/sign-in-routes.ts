import type { Hono } from "hono";
import { parseEmailAddress } from "../../core/email-address.ts";
import type { HttpEnvironment } from "../../core/http/environment.ts";
import { requestCodeOperation, verifyCodeOperation } from "../code-operations.ts";
import { sessionTokens } from "../session-credential.ts";
import { currentSessionOperation, logoutOperation } from "../session-operations.ts";
import { askApi } from "./api-client.ts";
import { awayPage } from "./away-page.ts";
import type { CodeStep } from "./code-step.ts";
import { addCodeStep, startCodeStep } from "./code-step.ts";
import { formField } from "./form-field.ts";
import { noteAt } from "./note-view.tsx";
import { dropPending, leaveNote, readNote, readPending } from "./page-cookies.ts";
import type { PageDeps } from "./page-deps.ts";
import { signInPage } from "./sign-in-page.tsx";

/** `/`: the address, then the code; and signing out again. */
export function addSignInRoutes(app: Hono<HttpEnvironment>, deps: PageDeps): void {
  const step: CodeStep = {
    purpose: "sign_in",
    request: (context, email) => askApi(app, context, requestCodeOperation, { body: { email } }),
    enter: (context, email, code) =>
      askApi(app, context, verifyCodeOperation, { body: { email, code } }),
    done: (context) => context.redirect("/account", 303),
  };
  app.get("/", async (context) => {
    if (sessionTokens(context).length > 0) {
      const answer = await askApi(app, context, currentSessionOperation);
      if (answer.kind === "ok") return context.redirect("/account", 303);
      const { problem } = answer;
      if (problem.code !== "unauthenticated") return awayPage(context, deps, problem);
    }
    const note = noteAt(readNote(context, deps), "sign_in", deps.clock.now());
    const pending = readPending(context, deps);
    const email = pending?.purpose === "sign_in" ? pending.email : undefined;
    return signInPage({ appName: deps.appName, note, email });
  });
  app.get("/sign-in", (context) => context.redirect("/", 303));
  app.post("/sign-in", async (context) => {
    const typed = await formField(context, "email");
    const email = parseEmailAddress(typed) ?? typed;
    const failedAt = { place: "sign_in", path: "/" } as const;
    return startCodeStep(context, deps, step, { email, failedAt, typed });
  });
  addCodeStep(app, deps, step);
  app.post("/sign-out", async (context) => {
    const answer = await askApi(app, context, logoutOperation);
    if (answer.kind === "ok") {
      dropPending(context, deps);
      leaveNote(context, deps, { place: "sign_in", done: "signed_out" });
      return context.redirect("/", 303);
    }
    leaveNote(context, deps, { place: "sessions", failed: "unavailable" });
    return context.redirect("/account", 303);
  });
}
