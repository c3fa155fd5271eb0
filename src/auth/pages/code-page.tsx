// The page where a code is entered.
import type { FieldAttributes } from "../../core/html/page.tsx";
import { Button, Field } from "../../core/html/page.tsx";
import type { CodePolicy } from "../codes/code-store.ts";
import { WithAddresses } from "./address.tsx";
import type { PageView } from "./page-context.tsx";
import { authPage, FlashView, Form, flashAt } from "./page-context.tsx";
import type { Flash, PendingCode } from "./page-state.ts";

/**
 * One input: to a keyboard, a paste, autofill and a screen reader it is one field, with or without
 * the script that shows its digits in six boxes. It takes text of any length, so that nothing pasted
 * is cut.
 */
function CodeInput({ hint, attributes, name, isFirst }: CodeInputProps) {
  return (
    <code-field dir="ltr" data-hint={hint}>
      <input
        {...attributes}
        {...(isFirst ? { autofocus: true } : {})}
        name={name}
        type="text"
        inputmode="numeric"
        autocomplete="one-time-code"
        required
        spellcheck={false}
      />
      <span class="boxes" aria-hidden="true">
        {Array.from({ length: 6 }, () => (
          <span />
        ))}
      </span>
    </code-field>
  );
}

interface CodeInputProps {
  /** "" where the form has another code. */
  readonly hint: string;
  readonly attributes: FieldAttributes;
  readonly name: string;
  readonly isFirst: boolean;
}

interface CodePageOptions {
  readonly view: PageView;
  readonly pending: PendingCode;
  readonly shownFor: string;
  /** The address that a second code was sent to, which is entered first. */
  readonly currentEmail: string | undefined;
  readonly flash: Flash | undefined;
  readonly policy: CodePolicy;
  /** The inbox, on a developer's machine. */
  readonly inboxUrl: string | undefined;
}

export type StepPurpose = PendingCode["purpose"];

/** The paths for entering and requesting a code of each purpose, and the path back. */
export const codePaths: Readonly<
  Record<StepPurpose, { readonly enter: string; readonly again: string; readonly back: string }>
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

/**
 * The page where the code is entered; while the address is locked, it shows for how long and what
 * to do.
 */
export function codePage(options: CodePageOptions): Response {
  const { view, pending } = options;
  const { messages, now } = view;
  const { purpose, lockedUntil = 0 } = pending;
  const { title, back } = messages.purposes[purpose];
  const locked = lockedUntil > now;
  return authPage({
    view,
    title: locked ? messages.code.lockedTitle : title,
    width: "narrow",
    shownFor: options.shownFor,
    content: (
      <div class="card stack">
        {locked ? (
          <Locked view={view} leftMs={lockedUntil - now} path={codePaths[purpose].enter} />
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

function Entry({ view, pending, currentEmail, flash, policy, inboxUrl }: CodePageOptions) {
  const { messages, now } = view;
  const { purpose, email, nextAt } = pending;
  const { title, button } = messages.purposes[purpose];
  const { code } = messages;
  const hasTwo = currentEmail !== undefined;
  const lifetime = view.left(policy.lifetimeMs);
  return (
    <>
      <h1>{title}</h1>
      <FlashView flash={flashAt(view, flash, "step")} />
      <p class="lead">
        {hasTwo ? (
          <WithAddresses
            message={(fresh, current) => code.sentToBoth(fresh, current, lifetime)}
            emails={[email, currentEmail]}
          />
        ) : (
          <WithAddresses message={(address) => code.sent(address, lifetime)} emails={[email]} />
        )}
      </p>
      <Form action={codePaths[purpose].enter} class="stack">
        {hasTwo && (
          <Field
            id="current-code"
            label={code.labelCurrent}
            error={flashAt(view, flash, "current_code").failed}
            input={(attributes) => (
              <CodeInput hint="" attributes={attributes} name="current_code" isFirst={true} />
            )}
          />
        )}
        <Field
          id="code"
          label={hasTwo ? code.labelNew : code.label}
          error={flashAt(view, flash, "code").failed}
          input={(attributes) => (
            <CodeInput
              hint={hasTwo ? "" : code.pasteHint}
              attributes={attributes}
              name="code"
              isFirst={!hasTwo}
            />
          )}
        />
        <Button variant={purpose === "delete_account" ? "danger" : "main"} wide>
          {button}
        </Button>
      </Form>
      <Resend view={view} path={codePaths[purpose].again} waitMs={nextAt - now} />
      {inboxUrl !== undefined && (
        <p class="development">
          {messages.code.development}{" "}
          <a href={inboxUrl} target="_blank" rel="noreferrer">
            {messages.code.inbox}
          </a>
        </p>
      )}
    </>
  );
}

interface ResendProps {
  readonly view: PageView;
  readonly path: string;
  readonly waitMs: number;
}

function Resend({ view, path, waitMs }: ResendProps) {
  const { code } = view.messages;
  const seconds = Math.max(0, Math.ceil(waitMs / 1000));
  return (
    <div class="resend">
      <p class="hint">{code.noMail}</p>
      <wait-for seconds={String(seconds)}>
        <Form action={path}>
          <Button variant="link">{code.again}</Button>
        </Form>
        <p class="hint" data-template={code.wait}>
          {seconds > 0 && code.wait.replace("{left}", view.left(waitMs))}
        </p>
      </wait-for>
    </div>
  );
}

interface LockedProps {
  readonly view: PageView;
  readonly leftMs: number;
  readonly path: string;
}

function Locked({ view, leftMs, path }: LockedProps) {
  const { code } = view.messages;
  return (
    <>
      <h1>{code.lockedTitle}</h1>
      <p class="lead">{code.locked(view.left(leftMs))}</p>
      <p class="hint">{code.lockedElse}</p>
      <wait-for seconds={String(Math.ceil(leftMs / 1000))} then="reload">
        <p class="clock" data-template={code.unlocks}>
          <a href={path}>{code.checkAgain}</a>
        </p>
      </wait-for>
    </>
  );
}
