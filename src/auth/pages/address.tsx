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

interface WithAddressesProps {
  /** The message, with the addresses inside it. */
  readonly message: (...addresses: string[]) => string;
  readonly emails: readonly string[];
}

/** For private use: they stand for the addresses while their message is written. */
const firstMark = 0xe000;
const marks = /([\uE000-\uE00F])/;

/** A message with addresses in it. */
export function WithAddresses({ message, emails }: WithAddressesProps) {
  const text = message(...emails.map((_email, index) => String.fromCharCode(firstMark + index)));
  return (
    <>
      {text.split(marks).map((piece) => {
        const email = emails[piece.charCodeAt(0) - firstMark];
        return email === undefined ? (
          piece
        ) : (
          <strong>
            <Address email={email} />
          </strong>
        );
      })}
    </>
  );
}

interface EmailInputProps extends FieldAttributes {
  readonly value: string;
  readonly autofocus?: boolean;
}

/**
 * The field for an address. Not of type email: Chromium converts what is typed there by rules of its
 * own, straße.de to strasse.de, and drops the invisible characters that the person should be told of.
 */
export function EmailInput({ value, ...attributes }: EmailInputProps) {
  return (
    <input
      {...attributes}
      value={shownAddress(value)}
      name="email"
      type="text"
      inputmode="email"
      required
      dir="ltr"
      maxlength={320}
      autocomplete="email"
      autocapitalize="none"
      spellcheck={false}
    />
  );
}
