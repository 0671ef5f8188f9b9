// What the portal does beyond plain pages: dimming, menus that close, errors that are read out.

const root = document.documentElement;
root.dataset.script = "on";
const kept = localStorage.getItem("theme");
if (kept) root.dataset.theme = kept;

function chooseTheme(event) {
  const theme = event.target.value;
  if (theme === "device") {
    localStorage.removeItem("theme");
    delete root.dataset.theme;
  } else {
    localStorage.setItem("theme", theme);
    root.dataset.theme = theme;
  }
}

function closeMenus(event) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    const leaves = event.type === "keydown" ? event.key === "Escape" : !menu.contains(event.target);
    if (!leaves) continue;
    menu.open = false;
    if (event.type === "keydown") menu.querySelector("summary").focus();
  }
}

function clearSent(event) {
  if (event.detail.successful && event.target.matches("form[data-clears]")) event.target.reset();
}

// A held time says once that it has run out; nothing counts down meanwhile.
function watchHold(line) {
  const over = line.parentElement.querySelector("[data-when-run-out]");
  const runOut = () => {
    line.hidden = true;
    over.hidden = false;
  };
  setTimeout(runOut, Number(line.dataset.runsOutIn) * 1000);
}

async function copy(event) {
  const source = document.getElementById(event.target.dataset.copies);
  source.select();
  const told = document.querySelector("[data-copied]");
  if (!navigator.clipboard) {
    told.textContent = "It is marked: copy it now.";
    return;
  }
  await navigator.clipboard.writeText(source.value);
  told.textContent = "Copied.";
}

document.addEventListener("DOMContentLoaded", () => {
  for (const option of document.querySelectorAll(".dim input")) {
    option.checked = option.value === (kept ?? "device");
    option.addEventListener("change", chooseTheme);
  }
  document.querySelector(".error-summary")?.focus();
  for (const line of document.querySelectorAll("[data-runs-out-in]")) watchHold(line);
  for (const button of document.querySelectorAll("[data-copies]")) button.addEventListener("click", copy);
  document.addEventListener("click", closeMenus);
  document.addEventListener("keydown", closeMenus);
  document.addEventListener("htmx:afterRequest", clearSent);
});
