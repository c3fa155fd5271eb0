// Sends a page's forms without leaving the page: asks the form's own address and shows what comes
// back, as the browser would have. Without this script the browser does it itself. A form that is
// under way is not sent again.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  event.preventDefault();
  if (form.getAttribute("aria-busy") !== "true") void send(form);
});

// A page that was left without loading another one is loaded again on the way back.
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
    location.assign(url); // no page of ours: something between us answered
    return;
  }
  const first = frame.querySelector("[autofocus]");
  first?.removeAttribute("autofocus"); // browsers complain when it comes while something has the focus
  document.title = page.title;
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
  if (field) moveToEnd(field);
  // What has the focus is read out; of a notice elsewhere the live region tells.
  document.querySelector("[data-spoken]").textContent = field && notice ? notice.textContent : "";
}

/** The cursor to the end of what is to be corrected; a field of type email knows no other way. */
function moveToEnd(field) {
  const { value } = field;
  field.value = "";
  field.value = value;
}
