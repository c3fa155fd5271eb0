import type { FieldAttributes } from "../../core/html/controls.tsx";

interface EmailInputProps extends FieldAttributes {
  readonly value: string;
  readonly autofocus?: boolean;
}

/** Where an address is typed; its bound is that of `parseEmailAddress`. */
export function EmailInput(attributes: EmailInputProps) {
  return (
    <input
      {...attributes}
      name="email"
      type="email"
      required
      maxlength={320}
      autocomplete="email"
      autocapitalize="none"
      spellcheck={false}
    />
  );
}
