// Keeps the page true while it is open. The server sends parts of the page that it drew itself; this file puts each
// in the place of the part with the same id, and keeps open what was open and focused what had the focus.
"use strict";
(() => {
  const body = document.body;
  const connection = document.getElementById("connection");
  const announcer = document.getElementById("announcer");
  if (!body.dataset.live || !connection || !announcer) return;

  const show = (state) => {
    connection.className = `connection ${state}`;
    connection.textContent = body.dataset[state];
  };

  const place = (html) => {
    const template = document.createElement("template");
    template.innerHTML = html;
    const fresh = template.content.firstElementChild;
    const stale = fresh && document.getElementById(fresh.id);
    if (!stale) return false;
    const open = stale.querySelector("details")?.open && fresh.querySelector("details");
    if (open) open.open = true;
    const focused = stale.contains(document.activeElement);
    const selector = focused && document.activeElement.tagName.toLowerCase();
    stale.replaceWith(fresh);
    if (focused) (fresh.querySelector(selector) ?? fresh).focus({ preventScroll: true });
    return true;
  };

  // One announcement a moment: a screen reader that is handed ten reads none to the end.
  let waiting = [];
  const announce = (sentence) => {
    waiting.push(sentence);
    if (waiting.length > 1) return;
    setTimeout(() => { announcer.textContent = waiting.slice(-3).join(" "); waiting = []; }, 500);
  };

  let last = "";
  const connect = () => {
    const address = new URL(body.dataset.live, location.href);
    if (last) address.searchParams.set("from", last);
    const source = new EventSource(address);
    source.onopen = () => show("connected");
    source.onerror = () => {
      show("lost");
      // A browser comes back by itself after a cut, but gives up for good when it was answered with a refusal.
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, 3000);
    };
    source.addEventListener("part", (event) => {
      last = event.lastEventId || last;
      const { html, say } = JSON.parse(event.data);
      // A region that was not on the page yet has no place in it: the whole page is drawn anew.
      if (!place(html)) { location.reload(); return; }
      if (say) announce(say);
    });
    source.addEventListener("reload", () => location.reload());
  };
  connect();
})();
