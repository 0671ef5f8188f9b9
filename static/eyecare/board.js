// The day board beyond its first page: it stays fresh, its dialog opens beside it, the arrow keys go
// through the day, and patients are found while one types.

const board = document.querySelector("[data-board]");
const columns = document.getElementById("columns");
const dialog = document.getElementById("desk");
const panel = document.getElementById("desk-body");
const said = board.querySelector("[data-said]");
const live = board.querySelector("[data-live]");
const liveWords = board.querySelector("[data-live-words]");
const nowButton = board.querySelector("[data-now]");

const SHOWN_MS = 6000;

htmx.config.defaultSettleDelay = 0; // what is drawn anew answers at once

// ------------------------------------------------------------------ what is said

let silence;

function say(text, isNo = false) {
  said.textContent = text;
  said.classList.toggle("said--no", isNo);
  clearTimeout(silence);
  silence = setTimeout(() => { said.textContent = ""; }, SHOWN_MS);
}

// ------------------------------------------------------------------ staying fresh

let focused = null; // what had the focus in the columns, to find it or its neighbour again after a swap
let arriving = null; // the id of the visit that was just written and is to be shown
let scrolled = null;
let known = states();
let isFirst = true;

function states() {
  return new Map([...columns.querySelectorAll(".visit")].map((block) => [block.id, block.dataset.is]));
}

function clockWords() {
  return new Date().toLocaleTimeString([], { hour: "numeric", minute: "2-digit" });
}

function fresh() {
  live.dataset.live = "";
  liveWords.textContent = "Live";
}

function late() {
  if (live.dataset.live === "late") return;
  live.dataset.live = "late";
  liveWords.textContent = `Not connected since ${clockWords()}`;
}

function isOurs(xhr) {
  return new URL(xhr.responseURL || location.href, location.href).pathname.startsWith(location.pathname);
}

function askForNews(event) {
  if (event.target !== columns) return;
  if (document.hidden) return event.preventDefault();
  event.detail.headers["If-None-Match"] = columns.dataset.stamp;
}

function beforeSwap(event) {
  const { xhr, target } = event.detail;
  if (!isOurs(xhr)) { // signed out meanwhile: the answer is the log-in page
    event.detail.shouldSwap = false;
    location.reload();
    return;
  }
  if (target === columns) {
    event.detail.shouldSwap = xhr.status === 200;
    if (xhr.status === 200 || xhr.status === 304) fresh();
    if (!event.detail.shouldSwap) return;
    columns.dataset.stamp = xhr.getResponseHeader("ETag");
    focused = remembered(document.activeElement.closest(".start, .visit"));
    scrolled = place(columns.querySelector("[data-day]"));
  } else if (target === panel && [400, 409, 422].includes(xhr.status)) {
    event.detail.shouldSwap = true;
    event.detail.isError = false;
  }
}

function place(day) {
  return day && { left: day.scrollLeft, top: day.scrollTop };
}

function afterSwap(event) {
  if (event.detail.target === columns) {
    const day = columns.querySelector("[data-day]");
    if (day && scrolled) day.scrollTo({ ...scrolled, behavior: "instant" });
    focusAgain();
    flash();
    followTheDay();
  } else if (event.detail.target === panel) {
    openPanel();
  }
}

function remembered(stop) {
  return stop && { id: stop.id, from: from(stop), column: stop.closest(".column").id };
}

function focusAgain() {
  const shown = arriving && document.getElementById(arriving);
  const next = shown || (focused && (document.getElementById(focused.id) ?? nearest(focused)));
  if (shown) arriving = null;
  settle(next);
  next?.focus({ preventScroll: next !== shown });
}

// What was focused may be gone, a free time taken for instance: the next best thing is what stands there now.
function nearest({ column, from: minute }) {
  const there = document.getElementById(column);
  return there && closest(stops(there), minute);
}

function closest(list, minute) {
  const distance = (stop) => Math.abs(from(stop) - minute);
  return list.reduce((best, each) => (distance(each) < distance(best) ? each : best), list[0]);
}

function flash() {
  const next = states();
  const changed = [...next].filter(([id, state]) => known.get(id) !== state);
  for (const [id] of changed) document.getElementById(id).classList.add("is-new");
  known = next;
}

// A board that was opened for today is turned to the next day when that begins, overnight for instance.
function followTheDay() {
  const { shows, follows } = board.dataset;
  const today = columns.querySelector("[data-today]")?.dataset.today;
  if (follows !== undefined && today && today !== shows && !dialog.open) location.reload();
}

// ------------------------------------------------------------------ the dialog

function openPanel() {
  const stays = dialog.open && panel.contains(document.activeElement); // redrawn under somebody's hands
  if (!dialog.open) dialog.showModal();
  const wanted = panel.querySelector("[aria-invalid], [data-focus]") ?? panel.querySelector("h2");
  if (!stays) wanted?.focus();
}

let opener = null; // the id of what the dialog was opened from: it may have been drawn anew meanwhile

function closed() {
  panel.replaceChildren();
  document.getElementById(opener)?.focus({ preventScroll: true });
}

function done(event) {
  say(event.detail.said);
  arriving = event.detail.shown;
  dialog.close();
  htmx.trigger(columns, "desk:refresh");
}

function failed(event) {
  const { target, xhr } = event.detail;
  if (target === columns) return late();
  if (xhr?.status === 403) return say("You may not do that. Nothing was changed.", true);
  if (xhr?.status === 404) return say("That is no longer there. Nothing was changed.", true);
  if (![400, 409, 422].includes(xhr?.status)) say("That did not work. Please try again.", true);
}

// ------------------------------------------------------------------ going through the day by keys

function stops(column) {
  return [...column.querySelectorAll(".start, .visit:not(.visit--leaving)")].sort(
    (one, other) => from(one) - from(other) || one.classList.contains("start") - other.classList.contains("start"),
  );
}

function from(stop) {
  return Number(stop.style.getPropertyValue("--from"));
}

// One stop of the whole day is reached by Tab, the others from it by arrow keys.
function settle(stop = null) {
  const all = [...columns.querySelectorAll(".start, .visit")];
  const current = stop ?? firstStop(all);
  for (const each of all) each.tabIndex = each === current ? 0 : -1;
}

function firstStop(all) {
  const line = columns.querySelector("[data-line]");
  const now = line ? from(line) : 0;
  return all.find((stop) => from(stop) >= now) ?? all[0];
}

function beside(column, step, stop) {
  const next = column[step > 0 ? "nextElementSibling" : "previousElementSibling"];
  if (!next?.matches(".column")) return null;
  return closest(stops(next), from(stop)) ?? beside(next, step, stop);
}

const KEYS = {
  ArrowDown: (list, index) => list[index + 1],
  ArrowUp: (list, index) => list[index - 1],
  Home: (list) => list[0],
  End: (list) => list.at(-1),
  ArrowRight: (list, index, column) => beside(column, 1, list[index]),
  ArrowLeft: (list, index, column) => beside(column, -1, list[index]),
};

function go(event) {
  const stop = event.target.closest(".start, .visit");
  if (!stop || !(event.key in KEYS) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const column = stop.closest(".column");
  const list = stops(column);
  KEYS[event.key](list, list.indexOf(stop), column)?.focus();
}

// ------------------------------------------------------------------ where one looks

function showNow(behavior) {
  const day = columns.querySelector("[data-day]");
  const line = columns.querySelector("[data-line]");
  if (!day || !line) return;
  day.scrollTo({ top: Math.max(0, line.offsetTop - day.clientHeight / 3), behavior });
}

function showLinked() {
  const linked = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!linked) return false;
  linked.scrollIntoView({ block: "center", inline: "center" });
  linked.classList.add("is-new");
  linked.focus({ preventScroll: true });
  return true;
}

// ------------------------------------------------------------------ finding a patient

let search;

async function find(box) {
  const list = box.querySelector("[role=listbox]");
  const field = box.querySelector("[role=combobox]");
  search?.abort();
  search = new AbortController();
  const url = `${box.dataset.search}?q=${encodeURIComponent(field.value)}`;
  try {
    const answer = await fetch(url, { signal: search.signal, headers: { "X-Requested-With": "XMLHttpRequest" } });
    if (!answer.ok || !isOurs({ responseURL: answer.url })) return;
    list.innerHTML = await answer.text();
    show(box, true);
    point(box, list.querySelector("[data-pk]"));
  } catch (error) {
    if (error.name !== "AbortError") say("The search did not work. Please try again.", true);
  }
}

function show(box, isShown) {
  box.querySelector("[role=listbox]").hidden = !isShown;
  box.querySelector("[role=combobox]").setAttribute("aria-expanded", String(isShown));
}

function point(box, option) {
  const field = box.querySelector("[role=combobox]");
  for (const each of box.querySelectorAll("[role=option]")) each.setAttribute("aria-selected", String(each === option));
  if (option) field.setAttribute("aria-activedescendant", option.id);
  else field.removeAttribute("aria-activedescendant");
  option?.scrollIntoView({ block: "nearest" });
}

function choose(box, option) {
  const chosen = box.querySelector("[data-chosen]");
  box.querySelector("[role=combobox]").value = option.dataset.name;
  chosen.value = option.dataset.pk;
  show(box, false);
  htmx.trigger(chosen, "desk:chosen");
}

let typing;

function typed(event) {
  const box = event.target.closest("[data-combo]");
  if (!box || event.target.getAttribute("role") !== "combobox") return;
  box.querySelector("[data-chosen]").value = "";
  clearTimeout(typing);
  typing = setTimeout(() => find(box), 180);
}

function picked(event) {
  const box = event.target.closest("[data-combo]");
  const list = box?.querySelector("[role=listbox]");
  if (!box || list.hidden) return;
  const options = [...list.querySelectorAll("[data-pk]")];
  const index = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    const step = event.key === "ArrowDown" ? 1 : -1;
    point(box, options[(index + step + options.length) % options.length]);
  } else if (event.key === "Enter" && options[index]) {
    event.preventDefault();
    choose(box, options[index]);
  } else if (event.key === "Escape") {
    event.preventDefault();
    event.stopPropagation();
    show(box, false);
  }
}

// ------------------------------------------------------------------ wiring

function clicked(event) {
  const option = event.target.closest("[data-combo] [data-pk]");
  if (option) return choose(option.closest("[data-combo]"), option);
  if (event.target.closest("[data-close]") || event.target === dialog) return dialog.close();
  const to = event.target.closest("[data-to]");
  if (to) document.getElementById(to.dataset.to).scrollIntoView({ inline: "start", block: "nearest" });
}

document.body.addEventListener("htmx:configRequest", askForNews);
document.body.addEventListener("htmx:beforeSwap", beforeSwap);
document.body.addEventListener("htmx:afterSwap", afterSwap);
document.body.addEventListener("htmx:responseError", failed);
document.body.addEventListener("htmx:sendError", failed);
document.body.addEventListener("desk:done", done);
document.addEventListener("click", clicked);
columns.addEventListener("keydown", go);
columns.addEventListener("focusin", (event) => event.target.matches(".start, .visit") && settle(event.target));
columns.addEventListener("click", (event) => { opener = event.target.closest(".start, .visit")?.id ?? opener; });
dialog.addEventListener("close", closed);
panel.addEventListener("input", typed);
panel.addEventListener("keydown", picked);
document.addEventListener("visibilitychange", () => document.hidden || htmx.trigger(columns, "desk:refresh"));

board.querySelector("[data-go]").hidden = true;
for (const field of board.querySelectorAll(".desk__look input, .desk__look select")) {
  field.addEventListener("change", () => field.form.checkValidity() && field.form.requestSubmit());
}
nowButton.hidden = !columns.querySelector("[data-line]");
nowButton.addEventListener("click", () => showNow("smooth"));
settle();
if (!showLinked()) showNow("instant");
