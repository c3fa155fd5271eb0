import type { Hono } from "hono";
import type { Child } from "hono/jsx";
import { parseEmailAddress } from "../../core/email-address.ts";
import { Button, ButtonLink, Field } from "../../core/html/controls.tsx";
import { parseFields } from "../../core/http/body.ts";
import type { HttpContext, HttpEnvironment } from "../../core/http/environment.ts";
import type { Failure } from "../../core/http/problem.ts";
import { confirmEmail, sendEmailCode, verifyEmailBody } from "../change-email.ts";
import { findSignedIn, getSignedIn } from "../current-session.ts";
import { confirmDeletion, deleteUserBody } from "../delete-user.ts";
import { authErrors } from "../error-codes.ts";
import { requestCodeBody, sendCode } from "../request-code.ts";
import { revokeSession } from "../session-routes.ts";
import type { Session } from "../sessions/session-store.ts";
import { changeUserBody, changeUsername } from "../user-routes.ts";
import type { PlacedNote } from "./auth-page.tsx";
import { authPage, EmailInput, failureNote, NoteView, noteAt } from "./auth-page.tsx";
import type { CodeStep } from "./code-step.tsx";
import { addCodeStep, startCodeStep } from "./code-step.tsx";
import { agoWords, words } from "./messages.ts";
import type { Note, NotePlace, PageDeps } from "./page-context.ts";
import {
  attempt,
  dropPending,
  formField,
  isUnauthenticated,
  leaveNote,
  readNote,
  toSignIn,
} from "./page-context.ts";

interface ShownSession extends Session {
  /** Of this request. */
  readonly current: boolean;
}

/** Every session with a button to end it; that of this device is ended by signing out. */
function SessionList({ sessions, now }: { sessions: readonly ShownSession[]; now: number }) {
  const own = words.account.sessions;
  return (
    <>
      <ul class="sessions">
        {sessions.map((session) => (
          <li>
            <div>
              <p class="device">
                <strong>{session.device}</strong>
                {session.current && <span class="badge">{own.current}</span>}
              </p>
              <p class="hint">
                {own.times(agoWords(now - session.usedAt), agoWords(now - session.createdAt))}
              </p>
            </div>
            {!session.current && <Revoke session={session} now={now} />}
          </li>
        ))}
      </ul>
      {sessions.some((session) => !session.current) && (
        <form method="post" action="/account/sessions/revoke-others">
          <Button look="plain">{own.others}</Button>
        </form>
      )}
    </>
  );
}

function Revoke({ session, now }: { readonly session: ShownSession; readonly now: number }) {
  const { revoke, revokeSpoken } = words.account.sessions;
  return (
    <form method="post" action="/account/sessions/revoke">
      <input type="hidden" name="id" value={session.id} />
      <Button look="plain" spoken={revokeSpoken(session.device, agoWords(now - session.usedAt))}>
        {revoke}
      </Button>
    </form>
  );
}

interface AccountPageOptions {
  readonly appName: string;
  readonly email: string;
  readonly username: string | undefined;
  readonly preferencesPath: string | undefined;
  readonly sessions: readonly ShownSession[];
  readonly note: Note | undefined;
  readonly now: number;
}

/** The account of the signed-in user: each setting with its own form. */
function accountPage(options: AccountPageOptions): Response {
  const { appName, email, username, preferencesPath, sessions, note, now } = options;
  const { account } = words;
  const at = (place: NotePlace) => noteAt(note, place, now);
  return authPage({
    appName,
    title: account.title,
    width: "wide",
    aside: <SignOut email={email} />,
    content: (
      <>
        <h1 class="page-title">{account.title}</h1>
        <Section id="username" words={account.username}>
          <UsernameForm username={username} note={at("username")} />
        </Section>
        <Section id="email" words={account.email}>
          <EmailForm email={email} note={at("email")} />
        </Section>
        {preferencesPath !== undefined && (
          <Section id="mails" words={account.mails}>
            <p>
              <ButtonLink href={preferencesPath} look="plain">
                {account.mails.button}
              </ButtonLink>
            </p>
          </Section>
        )}
        <Section id="sessions" words={account.sessions}>
          <NoteView note={at("sessions")} />
          <SessionList sessions={sessions} now={now} />
        </Section>
        <Section id="deletion" words={account.deletion}>
          <NoteView note={at("deletion")} />
          <p>
            <ButtonLink href="/account/delete" look="danger-plain">
              {account.deletion.button}
            </ButtonLink>
          </p>
        </Section>
      </>
    ),
  });
}

interface SectionProps {
  readonly id: NotePlace | "mails";
  readonly words: { readonly title: string; readonly lead: string };
  readonly children?: Child;
}

function Section({ id, words: { title, lead }, children }: SectionProps) {
  return (
    <section class="setting" id={id} aria-labelledby={`${id}-title`}>
      <div>
        <h2 id={`${id}-title`}>{title}</h2>
        <p class="hint">{lead}</p>
      </div>
      <div class="card stack">{children}</div>
    </section>
  );
}

function SignOut({ email }: { readonly email: string }) {
  return (
    <div class="who">
      <span class="address">{email}</span>
      <form method="post" action="/sign-out">
        <Button look="plain">{words.account.signOut}</Button>
      </form>
    </div>
  );
}

function UsernameForm({ username, note }: { username: string | undefined; note: PlacedNote }) {
  const { label, hint, button } = words.account.username;
  const { done, failed, typed } = note;
  return (
    <form method="post" action="/account/username" class="stack" novalidate>
      <NoteView note={done === undefined ? {} : { done }} />
      <Field
        id="username-field"
        label={label}
        hint={failed === undefined ? hint : undefined}
        error={failed}
        input={(attributes) => (
          <input
            {...attributes}
            name="username"
            type="text"
            required
            maxlength={32}
            autocomplete="username"
            autocapitalize="none"
            spellcheck={false}
            value={typed ?? username ?? ""}
          />
        )}
      />
      <p>
        <Button look="main">{button}</Button>
      </p>
    </form>
  );
}

function EmailForm({ email, note }: { readonly email: string; readonly note: PlacedNote }) {
  const { current, label, button } = words.account.email;
  const { done, failed, typed } = note;
  return (
    <form method="post" action="/account/email" class="stack" novalidate>
      <NoteView note={done === undefined ? {} : { done }} />
      <p>
        {current} <strong class="address">{email}</strong>.
      </p>
      <Field
        id="email-field"
        label={label}
        error={failed}
        input={(attributes) => <EmailInput {...attributes} value={typed ?? ""} />}
      />
      <p>
        <Button look="plain">{button}</Button>
      </p>
    </form>
  );
}

/** `/account` and its forms; changing the address and deleting the account also need a code. */
export function addAccountRoutes(app: Hono<HttpEnvironment>, deps: PageDeps): void {
  app.get("/account", async (context) => {
    const signedIn = await findSignedIn(context, deps);
    if (signedIn === undefined) return toSignIn(context, deps);
    const { user, session: current } = signedIn;
    const sessions = await deps.sessions.list(user.id);
    return accountPage({
      appName: deps.appName,
      email: user.email,
      username: user.username,
      preferencesPath: deps.preferencesPath?.(user.email),
      sessions: sessions.map((session) => ({ ...session, current: session.id === current.id })),
      note: readNote(context, deps),
      now: deps.clock.now(),
    });
  });
  app.post("/account/username", async (context) => {
    const typed = await formField(context, "username");
    const failure = await attempt(context, deps, async () => {
      const { user } = await getSignedIn(context, deps);
      const { username } = parseFields(changeUserBody, { username: typed.trim() });
      await changeUsername(deps, user, username);
    });
    return finish(context, deps, failure, { place: "username", done: "username_saved", typed });
  });
  app.post("/account/sessions/revoke", async (context) => {
    const id = await formField(context, "id");
    const failure = await attempt(context, deps, async () => {
      const { session } = await getSignedIn(context, deps);
      await revokeSession(context, deps, session, id); // already gone: fine
    });
    return finish(context, deps, failure, { place: "sessions", done: "session_revoked" });
  });
  app.post("/account/sessions/revoke-others", async (context) => {
    const failure = await attempt(context, deps, async () => {
      const { userId, id: except } = (await getSignedIn(context, deps)).session;
      await deps.sessions.revokeAll({ userId, except });
    });
    return finish(context, deps, failure, { place: "sessions", done: "others_revoked" });
  });
  addEmailChange(app, deps);
  addDeletion(app, deps);
}

/** Back to the form's section, with what became of it. */
function finish(
  context: HttpContext,
  deps: PageDeps,
  failure: Failure | undefined,
  { place, done, typed }: Pick<Note, "place" | "done" | "typed">,
): Response {
  if (failure === undefined) leaveNote(context, deps, { place, done });
  else {
    if (isUnauthenticated(failure)) return toSignIn(context, deps);
    const now = deps.clock.now();
    const note = failureNote(failure, { place, invalid: "username_invalid", now });
    leaveNote(context, deps, { ...note, typed });
  }
  return context.redirect(`/account#${place}`, 303);
}

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
