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

function fillLogin(event) {
  const login = event.target.closest("[data-email]");
  if (!login) return;
  document.getElementById("id_login").value = login.dataset.email;
  document.getElementById("id_password").value = login.dataset.password;
  login.closest("form").requestSubmit();
}

document.addEventListener("DOMContentLoaded", () => {
  for (const option of document.querySelectorAll(".dim input")) {
    option.checked = option.value === (kept ?? "device");
    option.addEventListener("change", chooseTheme);
  }
  document.querySelector(".error-summary")?.focus();
  document.addEventListener("click", closeMenus);
  document.addEventListener("keydown", closeMenus);
  document.addEventListener("click", fillLogin);
});
