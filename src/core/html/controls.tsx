/** Form controls: buttons, a field with its hint and error, a notice. */
import type { Child } from "hono/jsx";
import type { JSX } from "hono/jsx/jsx-runtime";

type ButtonVariant = "main" | "plain" | "danger" | "danger-plain" | "link";

interface ButtonProps {
  readonly variant: ButtonVariant;
  readonly wide?: boolean;
  /** For screen readers, when the label is clear only in its surroundings. */
  readonly spoken?: string | undefined;
  readonly children?: Child;
}

function buttonClass({ variant, wide }: Pick<ButtonProps, "variant" | "wide">): string {
  return `button button-${variant}${wide ? " button-wide" : ""}`;
}

/** Submits its form. */
export function Button({ variant, wide = false, spoken, children }: ButtonProps) {
  return (
    <button type="submit" class={buttonClass({ variant, wide })} aria-label={spoken}>
      {children}
    </button>
  );
}

/** A link that looks like a button. */
export function ButtonLink({
  href,
  variant,
  wide = false,
  children,
}: ButtonProps & { readonly href: string }) {
  return (
    <a href={href} class={buttonClass({ variant, wide })}>
      {children}
    </a>
  );
}

interface FieldProps {
  /** The input's id; those of its hint and error are derived from it. */
  readonly id: string;
  readonly label: string;
  readonly hint?: string | undefined;
  readonly error?: string | undefined;
  /** Renders the input; the attributes link it to its hint and error. */
  readonly input: (attributes: FieldAttributes) => JSX.Element;
}

export interface FieldAttributes {
  readonly id: string;
  readonly "aria-invalid"?: "true";
  readonly "aria-describedby"?: string;
}

export function Field({ id, label, hint, error, input }: FieldProps) {
  const describedBy = [
    ...(error === undefined ? [] : [`${id}-error`]),
    ...(hint === undefined ? [] : [`${id}-hint`]),
  ].join(" ");
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {input({
        id,
        ...(error === undefined ? {} : { "aria-invalid": "true" }),
        ...(describedBy === "" ? {} : { "aria-describedby": describedBy }),
      })}
      {error !== undefined && (
        <p class="error" id={`${id}-error`}>
          <Sign of="failed" />
          <span>{error}</span>
        </p>
      )}
      {hint !== undefined && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}

type Tone = "done" | "failed" | "plain";

interface NoticeProps {
  readonly tone: Tone;
  readonly children?: Child;
}

/** The result of the last action; focusable, so that screen readers announce it. */
export function Notice({ tone, children }: NoticeProps) {
  return (
    <div
      class={`notice notice-${tone}`}
      role={tone === "failed" ? "alert" : "status"}
      tabindex={-1}
    >
      <Sign of={tone} />
      <div>{children}</div>
    </div>
  );
}

const signs: Readonly<Record<Tone, string>> = {
  done: "M8 0a8 8 0 1 1 0 16A8 8 0 0 1 8 0Zm3.6 4.6-4.7 4.8-2.4-2.3-1.4 1.4 3.8 3.8 6.1-6.2Z",
  failed: "M8 0a8 8 0 1 1 0 16A8 8 0 0 1 8 0ZM7 3.5v5.5h2V3.5Zm0 7v2h2v-2Z",
  plain: "M8 0a8 8 0 1 1 0 16A8 8 0 0 1 8 0ZM7 7v5.5h2V7Zm0-3.5v2h2v-2Z",
};

function Sign({ of }: { readonly of: Tone }) {
  return (
    <svg class="sign" viewBox="0 0 16 16" aria-hidden="true">
      <path fill-rule="evenodd" d={signs[of]} />
    </svg>
  );
}
