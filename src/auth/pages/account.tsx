import type { Hono } from "hono";
import type { Child } from "hono/jsx";
import { Button, ButtonLink, Field } from "../../core/html/controls.tsx";
import type { HttpContext, HttpEnvironment } from "../../core/http/environment.ts";
import {
  currentSessionOperation,
  listSessionsOperation,
  revokeOthersOperation,
  revokeSessionOperation,
} from "../session-routes.ts";
import { changeUserOperation } from "../user-routes.ts";
import type { ApiAnswer } from "./api-client.ts";
import { callApi } from "./api-client.ts";
import type { PlacedFlash } from "./auth-page.tsx";
import { authPage, FlashView, failureFlash, flashAt } from "./auth-page.tsx";
import { EmailInput } from "./email-input.tsx";
import { formatAgo, messages } from "./messages.ts";
import type { Flash, FlashPlace, PageDeps } from "./page-context.ts";
import { formField, readFlash, setFlash, toSignIn } from "./page-context.ts";
import { unavailablePage } from "./problem-page.tsx";

/** A session as its owner sees it. Times in Unix ms. */
interface ShownSession {
  readonly id: string;
  readonly device: string;
  readonly createdAt: number;
  readonly usedAt: number;
  readonly current: boolean;
}

/** Every session with a way to end it; the one of this device is ended by signing out. */
function SessionList({ sessions, now }: { sessions: readonly ShownSession[]; now: number }) {
  const own = messages.account.sessions;
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
                {own.times(formatAgo(now - session.usedAt), formatAgo(now - session.createdAt))}
              </p>
            </div>
            {!session.current && <Revoke session={session} now={now} />}
          </li>
        ))}
      </ul>
      {sessions.some((session) => !session.current) && (
        <form method="post" action="/account/sessions/revoke-others">
          <Button variant="plain">{own.others}</Button>
        </form>
      )}
    </>
  );
}

function Revoke({ session, now }: { readonly session: ShownSession; readonly now: number }) {
  const { revoke, revokeSpoken } = messages.account.sessions;
  return (
    <form method="post" action="/account/sessions/revoke">
      <input type="hidden" name="id" value={session.id} />
      <Button
        variant="plain"
        spoken={revokeSpoken(session.device, formatAgo(now - session.usedAt))}
      >
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
  readonly flash: Flash | undefined;
  readonly now: number;
}

/** The account of who is signed in: each setting with its own form. */
function accountPage(options: AccountPageOptions): Response {
  const { appName, email, username, preferencesPath, sessions, flash, now } = options;
  const { account } = messages;
  const at = (place: FlashPlace) => flashAt(flash, place, now);
  return authPage({
    appName,
    title: account.title,
    width: "wide",
    aside: <SignOut email={email} />,
    content: (
      <>
        <h1 class="page-title">{account.title}</h1>
        <Section id="username" messages={account.username}>
          <UsernameForm username={username} note={at("username")} />
        </Section>
        <Section id="email" messages={account.email}>
          <EmailForm email={email} note={at("email")} />
        </Section>
        {preferencesPath !== undefined && (
          <Section id="mails" messages={account.mails}>
            <p>
              <ButtonLink href={preferencesPath} variant="plain">
                {account.mails.button}
              </ButtonLink>
            </p>
          </Section>
        )}
        <Section id="sessions" messages={account.sessions}>
          <FlashView note={at("sessions")} />
          <SessionList sessions={sessions} now={now} />
        </Section>
        <Section id="deletion" messages={account.deletion}>
          <FlashView note={at("deletion")} />
          <p>
            <ButtonLink href="/account/delete" variant="danger-plain">
              {account.deletion.button}
            </ButtonLink>
          </p>
        </Section>
      </>
    ),
  });
}

interface SectionProps {
  readonly id: FlashPlace | "mails";
  readonly messages: { readonly title: string; readonly lead: string };
  readonly children?: Child;
}

function Section({ id, messages: { title, lead }, children }: SectionProps) {
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
    <div class="identity">
      <span class="address">{email}</span>
      <form method="post" action="/sign-out">
        <Button variant="plain">{messages.account.signOut}</Button>
      </form>
    </div>
  );
}

function UsernameForm({
  username,
  note: flash,
}: {
  username: string | undefined;
  note: PlacedFlash;
}) {
  const { label, hint, button } = messages.account.username;
  const { done, failed, typed } = flash;
  return (
    <form method="post" action="/account/username" class="stack" novalidate>
      <FlashView note={done === undefined ? {} : { done }} />
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
        <Button variant="main">{button}</Button>
      </p>
    </form>
  );
}

function EmailForm({ email, note: flash }: { readonly email: string; readonly note: PlacedFlash }) {
  const { current, label, button } = messages.account.email;
  const { done, failed, typed } = flash;
  return (
    <form method="post" action="/account/email" class="stack" novalidate>
      <FlashView note={done === undefined ? {} : { done }} />
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
        <Button variant="plain">{button}</Button>
      </p>
    </form>
  );
}

/** `/account`, and the forms on it that need no code. */
export function addAccountRoutes(app: Hono<HttpEnvironment>, deps: PageDeps): void {
  app.get("/account", async (context) => {
    const [current, listed] = await Promise.all([
      callApi(app, context, currentSessionOperation),
      callApi(app, context, listSessionsOperation),
    ]);
    if (current.kind === "problem") return unavailablePage(context, deps, current.problem);
    if (listed.kind === "problem") return unavailablePage(context, deps, listed.problem);
    const { email, username } = current.body.user;
    return accountPage({
      appName: deps.appName,
      email,
      username: username ?? undefined,
      preferencesPath: deps.preferencesPath?.(email),
      sessions: listed.body.sessions.map(shownSession),
      flash: readFlash(context, deps),
      now: deps.clock.now(),
    });
  });
  app.post("/account/username", async (context) => {
    const typed = await formField(context, "username");
    const body = { username: typed.trim() };
    const answer = await callApi(app, context, changeUserOperation, { body });
    return finish(context, deps, answer, { place: "username", done: "username_saved", typed });
  });
  app.post("/account/sessions/revoke", async (context) => {
    const pathParameters = { id: (await formField(context, "id")) || "-" };
    const answer = await callApi(app, context, revokeSessionOperation, { pathParameters });
    const gone = answer.kind === "problem" && answer.problem.status === 404;
    const done = { place: "sessions", done: "session_revoked" } as const;
    return finish(context, deps, gone ? { kind: "ok", body: undefined } : answer, done);
  });
  app.post("/account/sessions/revoke-others", async (context) => {
    const answer = await callApi(app, context, revokeOthersOperation);
    return finish(context, deps, answer, { place: "sessions", done: "others_revoked" });
  });
}

/** Back to the form's section, with what became of it. */
function finish(
  context: HttpContext,
  deps: PageDeps,
  answer: ApiAnswer<unknown>,
  { place, done, typed }: Pick<Flash, "place" | "done" | "typed">,
): Response {
  if (answer.kind === "ok") setFlash(context, deps, { place, done });
  else {
    const { problem } = answer;
    if (problem.code === "unauthenticated") return toSignIn(context, deps);
    const now = deps.clock.now();
    const flash = failureFlash(problem, { place, invalid: "username_invalid", now });
    setFlash(context, deps, { ...flash, typed });
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
