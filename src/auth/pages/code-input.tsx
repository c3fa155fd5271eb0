import type { FieldAttributes } from "../../core/html/controls.tsx";
import { words } from "./words.ts";

/**
 * One input whose digits fall into six boxes drawn behind it: for a keyboard, a paste, a filled-in
 * code and a screen reader it is one field, with or without the script that marks the next box.
 * It takes more than six characters, so that a pasted "123 456" is not cut.
 */
export function CodeInput({ attributes }: { readonly attributes: FieldAttributes }) {
  return (
    <code-field data-hint={words.code.pasteHint}>
      <span class="boxes" aria-hidden="true">
        {Array.from({ length: 6 }, () => (
          <span />
        ))}
      </span>
      <input
        {...attributes}
        {...{ autofocus: true }}
        name="code"
        type="text"
        inputmode="numeric"
        autocomplete="one-time-code"
        required
        maxlength={32}
        spellcheck={false}
      />
    </code-field>
  );
}
