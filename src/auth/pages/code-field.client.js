// <code-field>: shows the digits of its input in six boxes. While there are six, a typed digit takes
// the place of the one after the cursor. A code that comes whole (pasted, dropped, filled in) takes
// the place of whatever there is, and is submitted once the browser has painted it. One that is typed
// digit by digit waits for the button: a typo must not cost an attempt.
const length = 6;

class CodeField extends HTMLElement {
  connectedCallback() {
    this.input = this.querySelector("input");
    this.boxes = [...this.querySelectorAll(".boxes > *")];
    this.input.addEventListener("input", (event) => this.change(event));
    this.input.addEventListener("compositionend", (event) => this.change(event));
    this.input.addEventListener("paste", (event) => this.paste(event));
    this.input.addEventListener("click", (event) => this.place(event));
    for (const name of ["focus", "blur", "keyup", "select"]) {
      this.input.addEventListener(name, () => this.mark());
    }
    this.addHint();
    this.classList.add("live");
    this.show(digitsOf(this.input.value).slice(0, length), length);
  }

  // The hint is only true where this script runs.
  addHint() {
    if (this.dataset.hint === "") return;
    const hint = document.createElement("p");
    hint.className = "hint";
    hint.id = `${this.input.id}-live-hint`;
    hint.textContent = this.dataset.hint;
    this.closest(".field").append(hint);
    const described = this.input.getAttribute("aria-describedby") ?? "";
    this.input.setAttribute("aria-describedby", `${described} ${hint.id}`.trim());
  }

  // What is too short to be a code goes in as if it were typed; a text without one changes nothing.
  paste(event) {
    const text = event.clipboardData.getData("text");
    const code = findCode(text);
    if (code === undefined && digitsOf(text).length < length) return;
    event.preventDefault();
    if (code !== undefined) this.replace(code);
  }

  change(event) {
    if (event.isComposing) return;
    const { value, selectionStart } = this.input;
    // Autofill has no data, but the whole value.
    const filled = [undefined, "insertReplacementText", "insertFromDrop"].includes(event.inputType);
    const code = findCode(event.data ?? (filled ? value : ""));
    if (code !== undefined) {
      this.replace(code);
      return;
    }
    const before = digitsOf(value.slice(0, selectionStart)).slice(0, length);
    const after = digitsOf(value.slice(selectionStart));
    this.show(
      before + after.slice(Math.max(0, before.length + after.length - length)),
      before.length,
    );
  }

  replace(code) {
    this.show(code, length);
    const submit = () => {
      const isThere = this.isConnected && this.input.value === code;
      if (isThere && this.isLast()) this.input.form.requestSubmit();
    };
    requestAnimationFrame(() => requestAnimationFrame(submit)); // the second follows a paint
  }

  // A form with two codes is complete when both are.
  isLast() {
    const inputs = [...this.input.form.querySelectorAll("code-field input")];
    return inputs.every(({ value }) => value.length === length);
  }

  show(digits, cursor) {
    if (digits !== this.input.value) {
      this.input.value = digits;
      this.input.setSelectionRange(cursor, cursor);
    }
    this.mark();
  }

  // The text under the boxes does not stand where they are.
  place({ clientX }) {
    const { selectionStart, selectionEnd, value } = this.input;
    if (selectionStart === selectionEnd) {
      const box = this.boxes.findIndex((each) => clientX < each.getBoundingClientRect().right);
      const cursor = Math.min(box === -1 ? length : box, value.length);
      this.input.setSelectionRange(cursor, cursor);
    }
    this.mark();
  }

  mark() {
    const { selectionStart: start, selectionEnd: end, value } = this.input;
    const first = Math.min(start, length - 1);
    const isFocused = document.activeElement === this.input;
    for (const [index, box] of this.boxes.entries()) {
      box.textContent = value[index] ?? "";
      box.classList.toggle("next", isFocused && index >= first && index < Math.max(end, first + 1));
    }
  }
}

// As in schemas.ts.
function findCode(text) {
  const digits = toAsciiDigits(text);
  for (const groups of [/\d+/g, /\d+(?:[\s\p{Pd}\u2212]\d+)*/gu]) {
    const found = (digits.match(groups) ?? []).map((group) => group.replace(/\D/g, ""));
    const codes = new Set(found.filter((group) => group.length === length));
    if (codes.size > 0) return codes.size === 1 ? [...codes][0] : undefined;
  }
  return undefined;
}

function digitsOf(text) {
  return toAsciiDigits(text).replace(/\D/g, "");
}

function toAsciiDigits(text) {
  return text
    .replace(/[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu, "")
    .replace(/\p{Nd}/gu, (digit) => {
      const code = digit.codePointAt(0);
      let zero = code;
      while (/\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero -= 1;
      return String((code - zero) % 10);
    });
}

customElements.define("code-field", CodeField);
