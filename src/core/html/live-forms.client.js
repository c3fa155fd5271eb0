// Sends a page's forms without leaving the page: submits to the form's own URL and shows the
// response, as the browser would. Without this script the browser does it itself. A form that is
// being sent is not sent again.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  event.preventDefault();
  if (form.getAttribute("aria-busy") !== "true") void send(form);
});

// Going back to a page that was replaced by a script reloads it.
addEventListener("popstate", () => location.reload());

async function send(form) {
  form.setAttribute("aria-busy", "true");
  try {
    const body = new URLSearchParams(new FormData(form));
    const answer = await fetch(form.action, {
      method: "POST",
      body,
      headers: { Accept: "text/html" },
    });
    show(parse(await answer.text()), new URL(answer.url));
  } catch {
    form.removeAttribute("aria-busy");
    document.querySelector(".unsent")?.remove();
    const template = document.querySelector("[data-unsent]");
    form.prepend(template.content.firstElementChild.cloneNode(true));
    form.firstElementChild.classList.add("unsent");
    form.firstElementChild.focus();
  }
}

/** Without its styles: they are those of this page, and their nonce is not this page's. */
function parse(text) {
  return new DOMParser().parseFromString(text.replace(/<style.*?<\/style>/s, ""), "text/html");
}

function show(page, url) {
  const frame = page.querySelector(".frame");
  if (frame === null) {
    location.assign(url); // not one of our pages: a proxy answered
    return;
  }
  const first = frame.querySelector("[autofocus]");
  first?.removeAttribute("autofocus"); // browsers warn when it is added while another element has the focus
  document.title = page.title;
  document.documentElement.lang = page.documentElement.lang; // may have changed in another tab
  document.documentElement.dir = page.documentElement.dir;
  document.querySelector(".frame").replaceWith(document.adoptNode(frame));
  if (url.pathname !== location.pathname) {
    history.pushState(null, "", url);
    scrollTo(0, 0);
  }
  const notice = frame.querySelector(".notice");
  const heading = frame.querySelector("h1");
  heading.tabIndex = -1;
  const field = frame.querySelector("[aria-invalid='true']") ?? first;
  (field ?? notice ?? heading).focus();
  field?.setSelectionRange(field.value.length, field.value.length);
  // Screen readers read the focused element; a notice elsewhere is announced by the live region.
  document.querySelector("[data-spoken]").textContent = field && notice ? notice.textContent : "";
}
