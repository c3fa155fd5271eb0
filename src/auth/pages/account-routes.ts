import type { Hono } from "hono";
import type { HttpContext, HttpEnvironment } from "../../core/http/environment.ts";
import {
  currentSessionOperation,
  listSessionsOperation,
  revokeOthersOperation,
  revokeSessionOperation,
} from "../session-operations.ts";
import { changeUserOperation } from "../user-operations.ts";
import { accountPage } from "./account-page.tsx";
import type { ApiAnswer } from "./api-client.ts";
import { askApi } from "./api-client.ts";
import { awayPage } from "./away-page.ts";
import { failureNote } from "./failure.ts";
import { formField } from "./form-field.ts";
import type { Note } from "./page-cookies.ts";
import { leaveNote, readNote } from "./page-cookies.ts";
import type { PageDeps } from "./page-deps.ts";
import type { ShownSession } from "./session-list.tsx";
import { toSignIn } from "./to-sign-in.ts";

/** `/account`, and the forms on it that need no code. */
export function addAccountRoutes(app: Hono<HttpEnvironment>, deps: PageDeps): void {
  app.get("/account", async (context) => {
    const [current, listed] = await Promise.all([
      askApi(app, context, currentSessionOperation),
      askApi(app, context, listSessionsOperation),
    ]);
    if (current.kind === "problem") return awayPage(context, deps, current.problem);
    if (listed.kind === "problem") return awayPage(context, deps, listed.problem);
    const { email, username } = current.body.user;
    return accountPage({
      appName: deps.appName,
      email,
      username: username ?? undefined,
      preferencesPath: deps.preferencesPath?.(email),
      sessions: listed.body.sessions.map(shownSession),
      note: readNote(context, deps),
      now: deps.clock.now(),
    });
  });
  app.post("/account/username", async (context) => {
    const typed = await formField(context, "username");
    const body = { username: typed.trim() };
    const answer = await askApi(app, context, changeUserOperation, { body });
    return finish(context, deps, answer, { place: "username", done: "username_saved", typed });
  });
  app.post("/account/sessions/revoke", async (context) => {
    const pathParameters = { id: (await formField(context, "id")) || "-" };
    const answer = await askApi(app, context, revokeSessionOperation, { pathParameters });
    const gone = answer.kind === "problem" && answer.problem.status === 404;
    const done = { place: "sessions", done: "session_revoked" } as const;
    return finish(context, deps, gone ? { kind: "ok", body: undefined } : answer, done);
  });
  app.post("/account/sessions/revoke-others", async (context) => {
    const answer = await askApi(app, context, revokeOthersOperation);
    return finish(context, deps, answer, { place: "sessions", done: "others_revoked" });
  });
}

/** Back to the form's section, with what became of it. */
function finish(
  context: HttpContext,
  deps: PageDeps,
  answer: ApiAnswer<unknown>,
  { place, done, typed }: Pick<Note, "place" | "done" | "typed">,
): Response {
  if (answer.kind === "ok") leaveNote(context, deps, { place, done });
  else {
    const { problem } = answer;
    if (problem.code === "unauthenticated") return toSignIn(context, deps);
    const now = deps.clock.now();
    const note = failureNote(problem, { place, invalid: "username_invalid", now });
    leaveNote(context, deps, { ...note, typed });
  }
  return context.redirect(`/account#${place}`, 303);
}

interface ListedSession extends Pick<ShownSession, "id" | "device" | "current"> {
  readonly created_at: string;
  readonly last_used_at: string;
}

function shownSession({ id, device, current, ...times }: ListedSession): ShownSession {
  const [createdAt, usedAt] = [Date.parse(times.created_at), Date.parse(times.last_used_at)];
  return { id, device, current, createdAt, usedAt };
}
