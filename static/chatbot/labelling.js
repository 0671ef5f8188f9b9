// What a message means: shows the details that a task takes, and fills them by clicks on words of the message.
// Without this file every field is there and can be typed into.

function showDetails(command) {
  const chosen = command.querySelector("select").value;
  for (const detail of command.querySelectorAll("[data-detail-of]")) {
    const fits = detail.dataset.detailOf.split(" ").includes(chosen);
    detail.hidden = !fits;
    if (!fits) detail.querySelector("input").value = "";
  }
}

// The words as the grammar knows them: without the marks around them.
function wordsOf(text) {
  return [...text.matchAll(/(\W*)(\S*[\p{L}\p{N}_]|\S)(\W*?)(?=\s|$)/gu)].map((found) => {
    const start = found.index + found[1].length;
    return { start, end: start + found[2].length };
  });
}

function follow(labelling) {
  const message = document.getElementById(labelling.dataset.of);
  const place = labelling.querySelector("[data-words]");
  let filling = null;
  let first = null;

  function press(word) {
    if (!filling) return;
    const begins = first !== null && word.start >= first.start ? first : word;
    filling.value = message.value.slice(begins.start, word.end);
    first = begins === word ? word : null;
    for (const button of place.children) {
      const { start, end } = button.dataset;
      button.setAttribute("aria-pressed", String(start >= begins.start && end <= word.end));
    }
  }

  function showWords() {
    place.replaceChildren(
      ...wordsOf(message.value).map((word) => {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = message.value.slice(word.start, word.end);
        Object.assign(button.dataset, word);
        button.setAttribute("aria-pressed", "false");
        button.addEventListener("click", () => press(word));
        return button;
      }),
    );
    place.hidden = !place.children.length;
  }

  labelling.addEventListener("focusin", (event) => {
    if (!event.target.closest("[data-detail-of]")) return;
    filling = event.target;
    first = null;
  });
  message.addEventListener("input", showWords);
  showWords();
  for (const command of labelling.querySelectorAll("[data-command]")) {
    command.querySelector("select").addEventListener("change", () => showDetails(command));
    showDetails(command);
  }
}

addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-labelling]").forEach(follow));
