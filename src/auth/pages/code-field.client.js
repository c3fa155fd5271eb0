// <code-field>: keeps only digits in the one input that lies over the six boxes, marks the box that
// comes next, and submits a code that was pasted or autofilled. A code that is typed digit by digit
// waits for the button: a typo must not cost an attempt.
const length = 6;

class CodeField extends HTMLElement {
  connectedCallback() {
    this.input = this.querySelector("input");
    this.boxes = [...this.querySelectorAll(".boxes > *")];
    this.digits = "";
    this.input.addEventListener("input", () => this.change());
    for (const name of ["focus", "blur", "keyup", "click"]) {
      this.input.addEventListener(name, () => this.mark());
    }
    this.addHint();
    this.mark();
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

  change() {
    const digits = this.input.value.replace(/\D/g, "").slice(0, length);
    if (digits !== this.input.value) this.input.value = digits;
    const atOnce = digits.length === length && this.digits.length < length - 1;
    this.digits = digits;
    this.mark();
    if (atOnce && this.isLast()) this.input.form.requestSubmit();
  }

  // A form with two codes is complete when both are.
  isLast() {
    const inputs = [...this.input.form.querySelectorAll("code-field input")];
    return inputs.every(({ value }) => value.length === length);
  }

  mark() {
    const at = Math.min(this.input.selectionStart ?? 0, length - 1);
    const focused = document.activeElement === this.input;
    for (const [index, box] of this.boxes.entries()) {
      box.classList.toggle("next", focused && index === at);
    }
    this.classList.add("live");
  }
}

customElements.define("code-field", CodeField);
