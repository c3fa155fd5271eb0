import { Button, Field } from "../../core/html/controls.tsx";
import type { CodePurpose } from "../codes/code.ts";
import type { CodePolicy } from "../codes/code-policy.ts";
import { authPage } from "./auth-page.tsx";
import { CodeInput } from "./code-input.tsx";
import { leftWords } from "./moment.ts";
import { NoteView, noteAt } from "./note-view.tsx";
import type { Note, PendingCode } from "./page-cookies.ts";
import { words } from "./words.ts";

export interface CodePageOptions {
  readonly appName: string;
  readonly pending: PendingCode;
  readonly note: Note | undefined;
  readonly now: number;
  readonly policy: CodePolicy;
  /** Where the mail can be read, on a developer's machine. */
  readonly inboxUrl: string | undefined;
}

/** Where each purpose's code is entered, asked for again, and given up. */
export const codePaths: Readonly<
  Record<CodePurpose, { readonly enter: string; readonly again: string; readonly back: string }>
> = {
  sign_in: { enter: "/sign-in/code", again: "/sign-in/again", back: "/" },
  change_email: {
    enter: "/account/email/code",
    again: "/account/email/again",
    back: "/account",
  },
  delete_account: {
    enter: "/account/delete/code",
    again: "/account/delete/again",
    back: "/account",
  },
};

/** Where a code is entered; while its address is locked, how long that lasts and what to do. */
export function codePage(options: CodePageOptions): Response {
  const { appName, pending, now } = options;
  const { purpose, lockedUntil = 0 } = pending;
  const { title, back } = words.purposes[purpose];
  const locked = lockedUntil > now;
  return authPage({
    appName,
    title: locked ? words.code.lockedTitle : title,
    width: "narrow",
    content: (
      <div class="card stack">
        {locked ? (
          <Locked leftMs={lockedUntil - now} path={codePaths[purpose].enter} />
        ) : (
          <Entry {...options} />
        )}
        <p>
          <a href={codePaths[purpose].back}>{back}</a>
        </p>
      </div>
    ),
  });
}

function Entry({ pending, note, now, policy, inboxUrl }: CodePageOptions) {
  const { purpose, email, nextAt } = pending;
  const { title, button } = words.purposes[purpose];
  const { failed } = noteAt(note, "code", now);
  return (
    <>
      <h1>{title}</h1>
      <NoteView note={noteAt(note, "step", now)} />
      <p class="lead">
        {words.code.sent} <strong class="address">{email}</strong>.{" "}
        {words.code.validity(leftWords(policy.lifetimeMs))}
      </p>
      <form method="post" action={codePaths[purpose].enter} class="stack" novalidate>
        <Field
          id="code"
          label={words.code.label}
          error={failed}
          input={(attributes) => <CodeInput attributes={attributes} />}
        />
        <Button look={purpose === "delete_account" ? "danger" : "main"} wide>
          {button}
        </Button>
      </form>
      <Resend path={codePaths[purpose].again} waitMs={nextAt - now} />
      {inboxUrl !== undefined && (
        <p class="development">
          {words.code.development}{" "}
          <a href={inboxUrl} target="_blank" rel="noreferrer">
            {words.code.inbox}
          </a>
        </p>
      )}
    </>
  );
}

function Resend({ path, waitMs }: { readonly path: string; readonly waitMs: number }) {
  const seconds = Math.max(0, Math.ceil(waitMs / 1000));
  return (
    <div class="resend">
      <p class="hint">{words.code.noMail}</p>
      <wait-for seconds={String(seconds)}>
        <form method="post" action={path}>
          <Button look="link">{words.code.again}</Button>
        </form>
        <p class="hint" data-words={words.code.wait}>
          {seconds > 0 && words.code.wait.replace("{left}", leftWords(waitMs))}
        </p>
      </wait-for>
    </div>
  );
}

function Locked({ leftMs, path }: { readonly leftMs: number; readonly path: string }) {
  const { code } = words;
  return (
    <>
      <h1>{code.lockedTitle}</h1>
      <p class="lead">{code.locked(leftWords(leftMs))}</p>
      <p class="hint">{code.lockedElse}</p>
      <wait-for seconds={String(Math.ceil(leftMs / 1000))} then="reload">
        <p class="clock" data-words={code.unlocks}>
          <a href={path}>{code.look}</a>
        </p>
      </wait-for>
    </>
  );
}
