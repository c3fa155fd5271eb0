// <wait-for seconds="42" then="reload">: shows the button inside it when the time is over. Until
// then, an element with data-template shows that text with {left} replaced by the remaining time.
// Screen readers are not notified each second: they read the text when they reach it.
class WaitFor extends HTMLElement {
  connectedCallback() {
    this.endsAt = performance.now() + Number(this.getAttribute("seconds")) * 1000;
    this.timer = setInterval(() => this.tick(), 250);
    this.tick();
  }

  disconnectedCallback() {
    clearInterval(this.timer);
  }

  tick() {
    const left = Math.ceil((this.endsAt - performance.now()) / 1000);
    const text = this.querySelector("[data-template]");
    for (const button of this.querySelectorAll("button")) button.hidden = left > 0;
    if (left > 0) {
      if (text) text.textContent = text.dataset.template.replace("{left}", clock(left));
      return;
    }
    clearInterval(this.timer);
    if (text) text.textContent = "";
    if (this.getAttribute("then") === "reload") location.reload();
  }
}

function clock(seconds) {
  const two = (count) => String(count).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const rest = two(seconds % 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
}

customElements.define("wait-for", WaitFor);
