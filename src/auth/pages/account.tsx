import type { Hono } from "hono";
import type { Child } from "hono/jsx";
import { parseEmailAddress } from "../../core/email-address.ts";
import { Button, ButtonLink, Field } from "../../core/html/page.tsx";
import { parseFields } from "../../core/http/body.ts";
import type { Failure, HttpContext, HttpEnvironment } from "../../core/http/problem.ts";
import {
  changeUserBody,
  changeUsername,
  confirmDeletion,
  deleteUserBody,
  sendDeletionCode,
} from "../account-routes.ts";
import { confirmEmail, isRecent, sendEmailCodes, verifyEmailBody } from "../email-change.ts";
import { requestCodeBody } from "../request-code.ts";
import { authErrors } from "../schemas.ts";
import { findSignedIn, getSignedIn, revokeOthers, revokeSession } from "../session-routes.ts";
import type { User } from "../users/user-store.ts";
import { Address, EmailInput, WithAddresses } from "./address.tsx";
import type { CodeStep } from "./code-step.tsx";
import { addCodeStep, startCodeStep } from "./code-step.tsx";
import type { PageDeps, PageView, PlacedFlash } from "./page-context.tsx";
import {
  attempt,
  authPage,
  FlashView,
  Form,
  failureFlash,
  flashAt,
  leaveStaleTab,
  pageViewOf,
  toSignIn,
} from "./page-context.tsx";
import type { Flash, FlashPlace } from "./page-state.ts";
import {
  dropPending,
  formField,
  getShownUser,
  readFlash,
  setFlash,
  signShownFor,
} from "./page-state.ts";
import type { ShownSession } from "./session-list.tsx";
import { SessionList } from "./session-list.tsx";

interface AccountPageOptions {
  readonly view: PageView;
  readonly email: string;
  readonly username: string | undefined;
  readonly preferencesPath: string | undefined;
  readonly sessions: readonly ShownSession[];
  readonly shownFor: string;
  readonly flash: Flash | undefined;
}

/** The account of the signed-in user: each setting with its own form. */
function accountPage(options: AccountPageOptions): Response {
  const { view, email, username, preferencesPath, sessions, shownFor, flash } = options;
  const { account } = view.messages;
  const at = (place: FlashPlace) => flashAt(view, flash, place);
  return authPage({
    view,
    title: account.title,
    width: "wide",
    aside: <SignOut view={view} email={email} />,
    shownFor,
    content: (
      <>
        <h1 class="page-title">{account.title}</h1>
        <FlashView flash={at("account")} />
        <Section id="username" messages={account.username}>
          <UsernameForm view={view} username={username} flash={at("username")} />
        </Section>
        <Section id="email" messages={account.email}>
          <EmailForm view={view} email={email} flash={at("email")} />
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
          <FlashView flash={at("sessions")} />
          <SessionList view={view} sessions={sessions} />
        </Section>
        <Section id="deletion" messages={account.deletion}>
          <FlashView flash={at("deletion")} />
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

function SignOut({ view, email }: { readonly view: PageView; readonly email: string }) {
  return (
    <div class="identity">
      <Address email={email} />
      <Form action="/sign-out">
        <Button variant="plain">{view.messages.account.signOut}</Button>
      </Form>
    </div>
  );
}

interface UsernameFormProps {
  readonly view: PageView;
  readonly username: string | undefined;
  readonly flash: PlacedFlash;
}

function UsernameForm({ view, username, flash }: UsernameFormProps) {
  const { label, hint, button } = view.messages.account.username;
  const { done, failed, typed } = flash;
  return (
    <Form action="/account/username" class="stack">
      <FlashView flash={done === undefined ? {} : { done }} />
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
            dir="ltr"
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
    </Form>
  );
}

interface EmailFormProps {
  readonly view: PageView;
  readonly email: string;
  readonly flash: PlacedFlash;
}

function EmailForm({ view, email, flash }: EmailFormProps) {
  const { current, label, button } = view.messages.account.email;
  const { done, failed, typed } = flash;
  return (
    <Form action="/account/email" class="stack">
      <FlashView flash={done === undefined ? {} : { done }} />
      <p>
        <WithAddresses message={current} emails={[email]} />
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
    </Form>
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
      view: pageViewOf(context, deps),
      email: user.email,
      username: user.username,
      preferencesPath: deps.preferencesPath?.(user.email),
      sessions: sessions.map((session) => ({ ...session, current: session.id === current.id })),
      shownFor: signShownFor(deps, { userId: user.id }),
      flash: readFlash(context, deps, "account", "username", "email", "sessions", "deletion"),
    });
  });
  app.post("/account/username", async (context) => {
    const typed = await formField(context, "username");
    const failure = await attempt(context, deps, async () => {
      const { user } = await getShownUser(context, deps);
      const { username } = parseFields(changeUserBody, { username: typed.trim() });
      await changeUsername(context, deps, { user, username });
    });
    return finish(context, deps, failure, { place: "username", done: "username_saved", typed });
  });
  app.post("/account/sessions/revoke", async (context) => {
    const id = await formField(context, "id");
    const failure = await attempt(context, deps, async () => {
      const signedIn = await getShownUser(context, deps);
      await revokeSession(context, deps, signedIn, id); // it may already have ended
    });
    return finish(context, deps, failure, { place: "sessions", done: "session_revoked" });
  });
  app.post("/account/sessions/revoke-others", async (context) => {
    const failure = await attempt(context, deps, async () => {
      await revokeOthers(deps, await getShownUser(context, deps));
    });
    return finish(context, deps, failure, { place: "sessions", done: "others_revoked" });
  });
  addEmailChange(app, deps);
  addDeletion(app, deps);
}

/** Redirects to the form's section, with its result. */
function finish(
  context: HttpContext,
  deps: PageDeps,
  failure: Failure | undefined,
  { place, done, typed }: Pick<Flash, "place" | "done" | "typed">,
): Response {
  if (failure === undefined) setFlash(context, deps, { place, done });
  else {
    const stale = leaveStaleTab(context, deps, failure);
    if (stale !== undefined) return stale;
    const now = deps.clock.now();
    const flash = failureFlash(failure, { place, invalid: "username_invalid", now });
    setFlash(context, deps, { ...flash, typed });
  }
  return context.redirect(`/account#${place}`, 303);
}

interface DeletionPageOptions {
  readonly view: PageView;
  readonly user: User;
  readonly flash: PlacedFlash;
}

/** Explains what will be deleted, before the confirmation by code. */
function deletionPage(deps: PageDeps, { view, user, flash }: DeletionPageOptions): Response {
  const { deletion } = view.messages;
  return authPage({
    view,
    title: deletion.title,
    width: "narrow",
    shownFor: signShownFor(deps, { userId: user.id }),
    content: (
      <div class="card stack">
        <h1>{deletion.title}</h1>
        <FlashView flash={flash} />
        <p class="lead">{deletion.lead}</p>
        <p class="lead">
          <WithAddresses message={deletion.proof} emails={[user.email]} />
        </p>
        <Form action="/account/delete">
          <Button variant="danger" wide>
            {deletion.button}
          </Button>
        </Form>
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
    findCurrentEmail: async (context) => {
      const signedIn = await findSignedIn(context, deps);
      const takesTwo = signedIn !== undefined && !isRecent(deps, signedIn);
      return takesTwo ? signedIn.user.email : undefined;
    },
    send: async (context, typed) => {
      const signedIn = await getSignedIn(context, deps);
      const { email } = parseFields(requestCodeBody, { email: typed });
      await sendEmailCodes(context, deps, { ...signedIn, email });
    },
    enter: async (context, { email }, code, currentCode) => {
      const signedIn = await getSignedIn(context, deps);
      const current_code = currentCode === "" ? undefined : currentCode;
      const entered = parseFields(verifyEmailBody, { email, code, current_code });
      const codes = { code: entered.code, currentCode: entered.current_code };
      await confirmEmail(context, deps, { ...signedIn, email: entered.email, ...codes });
    },
    done: (context) => {
      setFlash(context, deps, { place: "email", done: "email_changed" });
      return context.redirect(path, 303);
    },
    refused: (context, { row }) => {
      if (row.code !== authErrors.emailTaken.code) return undefined;
      dropPending(context, deps);
      setFlash(context, deps, { place: "email", failed: "email_taken" });
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
      await sendDeletionCode(context, deps, (await getSignedIn(context, deps)).user);
    },
    enter: async (context, _pending, typed) => {
      const signedIn = await getSignedIn(context, deps);
      const { code } = parseFields(deleteUserBody, { code: typed });
      await confirmDeletion(context, deps, { ...signedIn, code });
    },
    done: (context) => {
      setFlash(context, deps, { place: "sign_in", done: "account_deleted" });
      return context.redirect("/", 303);
    },
  };
  app.get(path, async (context) => {
    const signedIn = await findSignedIn(context, deps);
    if (signedIn === undefined) return toSignIn(context, deps);
    const view = pageViewOf(context, deps);
    const flash = flashAt(view, readFlash(context, deps, "deletion"), "deletion");
    return deletionPage(deps, { view, user: signedIn.user, flash });
  });
  app.post(path, async (context) => {
    const signedIn = await findSignedIn(context, deps);
    if (signedIn === undefined) return toSignIn(context, deps);
    const failedAt = { place: "deletion", path } as const;
    return startCodeStep(context, deps, step, { email: signedIn.user.email, failedAt });
  });
  addCodeStep(app, deps, step);
}
