// Shows new mails as they come: asks which one is the newest, and loads the list again when it is
// another. Without this script the page is the same after a reload.
const list = document.querySelector("[data-newest]");
const check = async () => {
  if (document.hidden) return;
  const answer = await fetch("/inbox/newest").catch(() => undefined);
  if (!answer?.ok) return;
  const { newest } = await answer.json();
  if (newest !== list.dataset.newest) location.reload();
};
setInterval(check, 1000);
