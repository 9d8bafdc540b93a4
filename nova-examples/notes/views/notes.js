// The live page: lists the notes, changes them through the JSON API, and shows through the
// WebSocket what happens elsewhere. No framework, no build step; home.html includes this file.
//
// The list in the page is the only copy of the notes. Whoever has news of one (an event, an answer
// of the API, the whole list after a reconnect) calls put() or remove(); hearing the same thing
// twice does no harm. Text comes into the page through textContent alone, so it stays text.

const $ = (selector, root = document) => root.querySelector(selector);
const copy = (id) => $(`template#${id}`).content.firstElementChild.cloneNode(true);

// --- The list ---

const list = $("#notes");
const items = new Map([...list.children].map((item) => [Number(item.dataset.id), item]));

function put(note, isNews = true) {
  let item = items.get(note.id);
  if (!item) {
    item = copy("note");
    item.dataset.id = note.id;
    items.set(note.id, item);
    let older = list.firstElementChild; // newest first, and most often it is the newest
    while (older && Number(older.dataset.id) > note.id) older = older.nextElementSibling;
    list.insertBefore(item, older);
  }
  let news = false;
  for (const part of ["title", "body", "author"]) {
    const element = $(`.${part}`, item);
    const text = note[part].replace(/\r\n?/g, "\n"); // as HTML and <textarea> have it
    if (element.textContent === text) continue;
    element.textContent = text;
    news = true;
  }
  if (!news) return;
  $("time", item).dateTime = note.inserted_at;
  showTime($("time", item));
  if (isNews && !matchMedia("(prefers-reduced-motion: reduce)").matches) {
    item.animate({ background: "var(--tint)", borderColor: "var(--accent)", offset: 0 }, 2500);
  }
  const typed = $(".editor", item)?.elements;
  if (!typed || ["title", "body"].every((part) => typed[part].value === $(`.${part}`, item).textContent)) return;
  item.classList.add("changed"); // shows the note above its editor
  $(".notice", item).textContent =
    "Changed elsewhere while you were editing: above is what it says now. Save puts your text in its place.";
}

function remove(id) {
  const item = items.get(id);
  if (!item) return;
  items.delete(id);
  if (!$(".editor", item)) return item.remove();
  item.classList.add("gone"); // but what is being typed stays
  $(".editor .primary", item).textContent = "Save as a new note";
  $(".notice", item).textContent = "Deleted elsewhere while you were editing. Your text is still here.";
}

// Hides what the search has not found, and says so if nothing is left.
function filter() {
  const hidden = (item) => found && !found.has(Number(item.dataset.id)) && !$(".editor", item);
  for (const item of list.children) item.hidden = hidden(item);
  $("#empty").hidden = $(".note:not([hidden])", list) !== null;
  $("#empty").textContent = found ? "Nothing found." : "No notes yet.";
}

// "5 minutes ago", up to a week; then the date.
function showTime(time) {
  const then = new Date(time.dateTime);
  const seconds = Math.max(0, (Date.now() - then) / 1000);
  const units = [["day", 86400], ["hour", 3600], ["minute", 60]];
  const [unit, size] = units.find(([, size]) => seconds >= size) ?? [];
  time.title = then.toLocaleString("en-GB", { dateStyle: "long", timeStyle: "short" });
  if (!unit) time.textContent = "just now";
  else if (seconds > 7 * 86400) time.textContent = then.toLocaleDateString("en-GB", { dateStyle: "medium" });
  else time.textContent = new Intl.RelativeTimeFormat("en").format(-Math.floor(seconds / size), unit);
}

// --- The API ---

const PATIENCE = 10_000; // ms without an answer that count as failure
const LIST_PATIENCE = 120_000; // for the whole list, which may be long and the line slow

// The answer; failing that, an Error whose message is for people.
async function api(method, path, fields, patience = PATIENCE) {
  let response, answer;
  try {
    response = await fetch(path, {
      method,
      headers: fields && { "content-type": "application/json" },
      body: fields && JSON.stringify(fields),
      cache: "no-store",
      signal: AbortSignal.timeout(patience),
    });
    answer = JSON.parse((await response.text()) || "{}");
  } catch {
    throw new Error("The server gives no answer. Try again soon.");
  }
  if (response.ok) return answer;
  const reason = answer.error ?? answer.detail ?? response.status; // ours, and Nova's own
  const retryAfter = Number(response.headers.get("retry-after")) || 1;
  throw Object.assign(new Error(`The server says: ${reason}.`), { status: response.status, retryAfter });
}

// An answer can be overtaken by news of a later change. So it is shown only if nothing has been
// heard of its note since the request; if what was heard is older, our own event is yet to come.
let clock = 0; // counts what is heard
let listed = 0; // when the whole list was
const heard = new Map(); // note id -> when an event of it was, after the list

async function write(method, path, fields) {
  const sent = clock;
  const note = await api(method, path, fields);
  if ((heard.get(note.id) ?? listed) <= sent) put(note);
  filter();
}

// --- The connection ---

const PING = 20_000; // ms from ping to ping
const BASE = 500, CAP = 30_000; // ms before a retry: at most BASE, doubling, up to CAP
const HELD = 10_000; // ms after which a connection has held: the next retry is soon again

let socket = null; // null while the next attempt is awaited
let queue = null; // the events that wait for the list; null when it is there
let since = null; // when it came; null while there is no connection
let attempts = 0; // since a connection held
let due, retry, ping, deadline; // when the next attempt is; timers

// ANCHOR: connect
function connect() {
  clearTimeout(retry);
  queue = [];
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/notifications`);
  socket.onopen = catchUp;
  socket.onclose = lost;
  socket.onmessage = ({ data }) => {
    gotWord();
    if (data === "pong") return;
    const event = JSON.parse(data);
    if (event.event === "notes_uncertain") return void (queue || catchUpAgain());
    heard.set(event.data.id, ++clock);
    if (queue) return queue.push(event);
    apply(event);
    filter();
    searchSoon();
  };
  expectWord();
}

function apply({ event, data }) {
  if (event === "note_created" || event === "note_updated") put(data);
  if (event === "note_deleted") remove(data.id);
}
// ANCHOR_END: connect

// ANCHOR: catch-up
// The server does not know whether it has stored something: ask for the list as after a break.
function catchUpAgain() {
  clearInterval(ping);
  queue = [];
  catchUp();
}

// Fetches what was missed. The server tells of a change once it is stored, so what is not in the
// list comes as an event. The events that come before the list go on top of it.
async function catchUp() {
  const current = socket;
  gotWord();
  try {
    const { notes } = await api("GET", "/api/notes", undefined, LIST_PATIENCE);
    if (current !== socket) return;
    const ids = new Set(notes.map(({ id }) => id));
    for (const id of items.keys()) if (!ids.has(id)) remove(id);
    // Oldest first: each finds its place at once. Only a few are worth a highlight.
    for (const note of notes.toReversed()) put(note, notes.length <= 50);
    queue.forEach(apply);
    queue = null;
    heard.clear();
    listed = ++clock;
    since = Date.now();
    ping = setInterval(checkSocket, PING);
    showStatus("connected", "connected");
    filter();
    searchSoon();
  } catch {
    if (current === socket) lost();
  }
}
// ANCHOR_END: catch-up

// ANCHOR: lost
// A connection can be dead without anybody being told; then nothing answers a ping.
function checkSocket() {
  socket.send("ping");
  expectWord();
}

function expectWord() {
  deadline ??= setTimeout(lost, PATIENCE);
}

function gotWord() {
  deadline = clearTimeout(deadline);
}

// Gives the connection up and plans the next: when the server says, if it says so; or else later after
// each failure, and at a random time, so that those who were cut off together do not come back together.
function lost(close) {
  gotWord();
  clearInterval(ping);
  socket.onopen = socket.onmessage = socket.onclose = null; // closing a dead one takes a while
  socket.close();
  socket = null;
  if (since && Date.now() - since > HELD) attempts = 0;
  since = null;
  const delay = wanted(close) ?? Math.random() * Math.min(CAP, BASE * 2 ** attempts++);
  due = Date.now() + delay;
  retry = setTimeout(connect, delay);
  showStatus("reconnecting", "reconnecting…");
}

// ANCHOR: retry
// A server that stops closes with a reason such as retry=1500: each client has its own ms.
function wanted(close) {
  const [, delay] = close?.reason.match(/^retry=(\d{1,5})$/) ?? [];
  return delay && Number(delay);
}
// ANCHOR_END: retry
// ANCHOR_END: lost

// The network is back, or somebody looks: no more waiting.
function hurry() {
  if (!socket) connect();
  else if (since) checkSocket();
}

function showStatus(state, text) {
  $("#status").dataset.state = state;
  $("#status").textContent = text; // without the countdown, which nobody wants to hear read out
  showCountdown();
}

function showCountdown() {
  const seconds = Math.ceil((due - Date.now()) / 1000);
  $("#countdown").textContent = !socket && seconds > 0 ? `in ${seconds} s` : "";
}

// --- The search ---

const search = $("#search");
let found = null; // the ids that the server found; null: no search
let searches = 0, searchTimer;

// News may change what is found; the index hears of it when we do, and gets a moment.
function searchSoon(delay = 300) {
  if (search.value.trim()) searchTimer ??= setTimeout(runSearch, delay);
}

async function runSearch() {
  searchTimer = clearTimeout(searchTimer);
  const [number, words] = [++searches, search.value.trim()];
  let [result, message] = [null, ""];
  try {
    if (words) {
      const { notes } = await api("GET", `/api/notes/search?q=${encodeURIComponent(words)}`);
      result = new Set(notes.map(({ id }) => id));
    }
  } catch (error) {
    message = error.message;
    if (error.status === 503) {
      message = "The notes are still being indexed. The search starts when that is done.";
      if (number === searches) searchSoon(error.retryAfter * 1000);
    }
  }
  if (number !== searches) return; // there is a newer one
  found = result;
  $("#search-error").textContent = message;
  filter();
}

// --- What the user does ---

// Sends a form. If that fails, it says why, and what was typed stays in it.
async function submit(form, send) {
  const [fieldset, error, focused] = [$("fieldset", form), $(".error", form), document.activeElement];
  const fields = Object.fromEntries(new FormData(form));
  fieldset.disabled = true; // not twice
  error.textContent = "";
  try {
    await send(fields);
    return true;
  } catch ({ message }) {
    error.textContent = message;
    return false;
  } finally {
    fieldset.disabled = false;
    if (form.contains(focused)) focused.focus();
  }
}

async function add(form) {
  const { title, body } = form.elements;
  if (!(await submit(form, (fields) => write("POST", "/api/notes", fields)))) return;
  title.value = body.value = ""; // the author stays
  title.focus();
}

function edit(item) {
  const editor = copy("edit-form");
  for (const part of ["title", "body"]) editor.elements[part].value = $(`.${part}`, item).textContent;
  item.classList.add("editing");
  item.append(editor);
  editor.elements.title.focus();
}

async function save(editor, item) {
  const id = Number(item.dataset.id);
  const saved = await submit(editor, async (fields) => {
    const author = $(".author", item).textContent;
    if (!items.has(id)) return write("POST", "/api/notes", { ...fields, author });
    try {
      await write("PUT", `/api/notes/${id}`, fields);
    } catch (error) {
      if (error.status === 404) remove(id);
      throw error;
    }
  });
  if (saved) endEdit(item);
}

function endEdit(item) {
  item.classList.remove("editing", "changed");
  $(".editor", item).remove();
  $(".notice", item).textContent = "";
  if (items.get(Number(item.dataset.id)) === item) $(".edit", item).focus();
  else item.remove();
  filter();
}

// The first press asks; a second one soon after deletes. A double click is no answer.
async function pressDelete(button, item, clicks) {
  const [id, error] = [Number(item.dataset.id), $(".actions .error", item)];
  const ask = (asks) => {
    button.classList.toggle("confirm", asks);
    button.textContent = asks ? "Really delete?" : "Delete";
  };
  error.textContent = "";
  if (!button.classList.contains("confirm")) {
    ask(true);
    setTimeout(ask, 5000, false);
  } else if (clicks < 2) {
    ask(false);
    try {
      await api("DELETE", `/api/notes/${id}`);
    } catch ({ status, message }) {
      if (status !== 404) return void (error.textContent = message);
    }
    remove(id); // by us, or by somebody before us
    filter();
  }
}

$("#new-note").addEventListener("submit", (event) => {
  event.preventDefault();
  add(event.target);
});
list.addEventListener("submit", (event) => {
  event.preventDefault();
  save(event.target, event.target.closest(".note"));
});
list.addEventListener("click", ({ target, detail }) => {
  const item = target.closest(".note");
  if (target.matches(".edit")) edit(item);
  if (target.matches(".cancel")) endEdit(item);
  if (target.matches(".delete")) pressDelete(target, item, detail);
});
search.addEventListener("input", () => {
  clearTimeout(searchTimer);
  searchTimer = setTimeout(runSearch, 200);
});
search.addEventListener("keydown", ({ key }) => {
  if (key !== "Escape") return;
  search.value = "";
  runSearch();
});
addEventListener("online", hurry);
document.addEventListener("visibilitychange", () => document.hidden || hurry());

const showTimes = () => document.querySelectorAll("time").forEach(showTime);
showTimes();
setInterval(showTimes, 30_000);
setInterval(showCountdown, 500);
connect();
