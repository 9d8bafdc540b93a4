"use strict";

const notices = document.getElementById("notices");
const status = document.getElementById("status");

function show(id, text) {
  if (document.getElementById(id)) return; // a new source gets everything again
  const notice = document.createElement("li");
  notice.id = id;
  notice.textContent = text;
  notices.prepend(notice);
}

// ANCHOR: listen
function listen() {
  const source = new EventSource("/notices");
  source.addEventListener("notice", (event) => show(event.lastEventId, event.data));
  source.onopen = () => { status.textContent = "connected"; };
  source.onerror = () => {
    status.textContent = "connecting";
    // Where the stream has ended, or nobody answers, the browser tries again by itself. After an
    // answer that is no stream, such as a proxy's 502, it has given up.
    if (source.readyState === EventSource.CLOSED) {
      setTimeout(listen, 2000 + 3000 * Math.random());
    }
  };
}

listen();
// ANCHOR_END: listen

document.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const body = new URLSearchParams(new FormData(form));
  const answer = await fetch("/notices", { method: "POST", body });
  if (answer.ok) form.reset();
});
