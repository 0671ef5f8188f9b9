// The chat without page loads: sends a line, shows the answer as it comes, keeps the end in view.
// Without this file every form here posts and comes back as a whole page.

const log = document.getElementById("log");
const composer = document.getElementById("composer");

// A reply longer than the window is shown from its start.
function showTheEnd(atOnce = false) {
  const last = log.lastElementChild;
  const calm = atOnce || matchMedia("(prefers-reduced-motion: reduce)").matches;
  const fits = last.offsetHeight < innerHeight * 0.6;
  last.scrollIntoView({ block: fits ? "end" : "start", behavior: calm ? "auto" : "smooth" });
}

function fragment(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

function failed(form, text) {
  log.append(fragment('<p class="slip slip--alarm" role="alert"></p>'));
  log.lastElementChild.textContent = text;
  if (form === composer) composer.elements.text.value ||= form.dataset.sent ?? "";
  showTheEnd();
}

function answer(place) {
  const text = place.querySelector(".said__text");
  const stream = new EventSource(place.dataset.stream);
  place.removeAttribute("data-stream");
  let begun = false;
  stream.addEventListener("piece", (event) => {
    if (!begun) text.textContent = "";
    begun = true;
    text.append(JSON.parse(event.data));
    showTheEnd();
  });
  stream.addEventListener("done", (event) => {
    stream.close();
    place.replaceWith(fragment(JSON.parse(event.data)));
    showTheEnd();
  });
  stream.addEventListener("silent", () => {
    stream.close();
    place.remove();
  });
  stream.addEventListener("error", () => {
    stream.close();
    text.textContent = "The answer did not get through. Please reload the page to see it.";
  });
}

async function say(event) {
  const form = event.target.closest("form[data-say]");
  if (!form) return;
  event.preventDefault();
  const body = new FormData(form, event.submitter);
  const said = body.get("text").trim();
  if (!said) return;
  form.dataset.sent = said;
  for (const gone of document.querySelectorAll("#hello, #suggestions, .said__choices")) gone.remove();
  composer.reset();
  try {
    const response = await fetch(form.action, { method: "POST", body, headers: { "HX-Request": "true" } });
    const html = await response.text();
    if (!response.ok) return failed(form, html.startsWith("<") ? "That could not be sent. Please try again." : html);
    log.append(fragment(html));
    for (const place of log.querySelectorAll("[data-stream]")) answer(place);
    composer.elements.text.focus({ preventScroll: true });
    showTheEnd();
  } catch {
    failed(form, "The connection was lost. Your message was not sent.");
  }
}

// While a person is asked for or has the conversation, look for what they wrote.
async function lookForNews() {
  if (!log.dataset.person && !log.querySelector("[data-handoff]")) return;
  const last = [...log.querySelectorAll("[data-line]")].at(-1);
  const response = await fetch(`${log.dataset.news}?after=${last?.dataset.line ?? 0}`);
  if (response.status !== 200) return;
  log.append(fragment(await response.text()));
  showTheEnd();
}

function sendOnEnter(event) {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  composer.requestSubmit();
}

document.addEventListener("submit", say);
composer.elements.text.addEventListener("keydown", sendOnEnter);
setInterval(() => lookForNews().catch(() => {}), 5000);
if (log.querySelector(".said")) showTheEnd(true);
