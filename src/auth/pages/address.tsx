// How pages show an address, and the field that takes one. Addresses run from left to right in every
// language.
import type { FieldAttributes } from "../../core/html/page.tsx";
import { shownAddress } from "../../core/shown-address.ts";

export function Address({ email }: { readonly email: string }) {
  return (
    <bdi class="address" dir="ltr">
      {shownAddress(email)}
    </bdi>
  );
}

interface WithAddressProps {
  /** The message, with the address inside it. */
  readonly message: (address: string) => string;
  readonly email: string;
}

/** Stands for the address while its message is written; no message contains it. */
const addressMark = "\uFFFC";

/** A message with an address in it. */
export function WithAddress({ message, email }: WithAddressProps) {
  const [before, after] = message(addressMark).split(addressMark);
  return (
    <>
      {before}
      <strong>
        <Address email={email} />
      </strong>
      {after}
    </>
  );
}

interface EmailInputProps extends FieldAttributes {
  readonly value: string;
  readonly autofocus?: boolean;
}

/** The field for an address, with the bound of `parseEmailAddress`. */
export function EmailInput({ value, ...attributes }: EmailInputProps) {
  return (
    <input
      {...attributes}
      value={shownAddress(value)}
      name="email"
      type="email"
      required
      dir="ltr"
      maxlength={320}
      autocomplete="email"
      autocapitalize="none"
      spellcheck={false}
    />
  );
}
