// Shows new mails as they arrive: the server sends the id of the newest mail; when it changes, the
// list is fetched again, and so is the open mail unless one was chosen. Without this script a
// reload shows the same.
const parts = ["mails", "clear", ...(location.pathname === "/inbox" ? ["mail"] : [])];
const known = () => document.getElementById("mails")?.dataset.newest;

async function refresh() {
  const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) return;
  const text = (await answer.text()).replace(/<style[\s\S]*?<\/style>/, "");
  const page = new DOMParser().parseFromString(text, "text/html");
  document.title = page.title;
  for (const id of parts) {
    const [old, fresh] = [document.getElementById(id), page.getElementById(id)];
    if (old === null || fresh === null || old.contains(document.activeElement)) continue;
    old.replaceWith(document.adoptNode(fresh));
  }
}

let source;
const watch = () => {
  if (document.hidden || known() === undefined) {
    source?.close();
    source = undefined;
    return;
  }
  if (source !== undefined) return;
  source = new EventSource("/inbox/live");
  source.onmessage = ({ data }) => {
    const { newest } = JSON.parse(data);
    if (newest !== undefined && newest !== known()) refresh().catch(() => {});
  };
};
document.addEventListener("visibilitychange", watch);
addEventListener("pagehide", () => source?.close());
watch();

// Copies the code, or selects it where the browser does not allow that.
document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-copy]");
  if (button === null) return;
  const code = button.parentElement.querySelector("[data-code]");
  const status = button.parentElement.querySelector("[role='status']");
  try {
    await navigator.clipboard.writeText(code.textContent);
    status.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code);
    status.textContent = "Selected: copy it with the keyboard";
  }
});
