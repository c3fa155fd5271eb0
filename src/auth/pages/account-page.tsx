import type { Child } from "hono/jsx";
import { Button, ButtonLink, Field } from "../../core/html/controls.tsx";
import { authPage } from "./auth-page.tsx";
import { EmailInput } from "./email-input.tsx";
import type { PlacedNote } from "./note-view.tsx";
import { NoteView, noteAt } from "./note-view.tsx";
import type { Note, NotePlace } from "./page-cookies.ts";
import type { ShownSession } from "./session-list.tsx";
import { SessionList } from "./session-list.tsx";
import { words } from "./words.ts";

export interface AccountPageOptions {
  readonly appName: string;
  readonly email: string;
  readonly username: string | undefined;
  readonly preferencesPath: string | undefined;
  readonly sessions: readonly ShownSession[];
  readonly note: Note | undefined;
  readonly now: number;
}

/** The account of who is signed in: each setting with its own form. */
export function accountPage(options: AccountPageOptions): Response {
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
