// Updates the parts of the page that the server sends. A part that contains the focus is not
// updated, so that nobody loses their place. The browser reconnects by itself.
const waiting = new Map();
const show = (id, html) => {
  const element = document.getElementById(id);
  if (element === null) return;
  if (element.contains(document.activeElement)) waiting.set(id, html);
  else element.innerHTML = html;
};
document.addEventListener("focusout", () => {
  const parts = [...waiting];
  waiting.clear();
  setTimeout(() => {
    for (const [id, html] of parts) if (!waiting.has(id)) show(id, html);
  });
});

let source;
const watch = () => {
  if (document.hidden) {
    source?.close();
    source = undefined;
    return;
  }
  if (source !== undefined) return;
  source = new EventSource("/live");
  source.onmessage = ({ data }) => {
    document.body.dataset.live = "yes";
    for (const [id, html] of Object.entries(JSON.parse(data))) show(id, html);
  };
  source.onerror = () => {
    document.body.dataset.live = "no";
  };
};
document.addEventListener("visibilitychange", watch);
addEventListener("pagehide", () => source?.close());
watch();
