// Sends a page's forms without leaving the page: asks the form's own address and shows what comes
// back, as the browser would have. Without this script the browser does it itself. A button that
// must wait is inert, and so is a form that is under way: nothing is sent twice.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  event.preventDefault();
  const waits = form.querySelector("button[aria-disabled='true']") !== null;
  if (!waits && form.getAttribute("aria-busy") !== "true") void send(form);
});

// A page that was left without loading another one is loaded again on the way back.
addEventListener("popstate", () => location.reload());

async function send(form) {
  form.setAttribute("aria-busy", "true");
  try {
    const body = new URLSearchParams(new FormData(form));
    const answer = await fetch(form.action, { method: "POST", body });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    show(page, new URL(answer.url));
  } catch {
    form.removeAttribute("aria-busy");
    const notice = document.querySelector("[data-offline]");
    form.prepend(notice);
    notice.hidden = false;
    notice.focus();
  }
}

function show(page, url) {
  const frame = page.querySelector(".frame");
  if (frame === null) {
    location.assign(url); // no page of ours: something between us answered
    return;
  }
  document.title = page.title;
  document.querySelector(".frame").replaceWith(document.adoptNode(frame));
  if (url.pathname !== location.pathname) {
    history.pushState(null, "", url);
    scrollTo(0, 0);
  }
  const notice = frame.querySelector(".notice:not([hidden])");
  const heading = frame.querySelector("h1");
  heading.tabIndex = -1;
  const field = frame.querySelector("[aria-invalid='true']") ?? frame.querySelector("[autofocus]");
  (field ?? notice ?? heading).focus();
  // What has the focus is read out; of a notice elsewhere the live region tells.
  document.querySelector("[data-spoken]").textContent = field && notice ? notice.textContent : "";
}
