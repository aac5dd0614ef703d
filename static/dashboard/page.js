// Theme, keys, copying, one-time forms, light acts. Nothing here is needed to read a page.
(() => {
  "use strict";
  const root = document.documentElement;
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const help = document.getElementById("help");
  const keysOn = () => localStorage.getItem("keys") !== "off";

  document.addEventListener("click", async (event) => {
    const target = event.target.closest("[data-theme-switch],[data-help],[data-copy],[data-print],[data-acknowledge]");
    if (!target) return;
    if ("themeSwitch" in target.dataset) {
      root.dataset.theme = dark() ? "light" : "dark";
      localStorage.setItem("theme", root.dataset.theme);
      document.dispatchEvent(new Event("themechange"));
    } else if ("help" in target.dataset) {
      help.showModal();
    } else if (target.dataset.copy) {
      await navigator.clipboard.writeText(document.getElementById(target.dataset.copy).textContent);
      target.textContent = "Copied";
    } else if ("print" in target.dataset) {
      window.print();
    } else {
      target.disabled = true;
      const token = document.querySelector("#csrf input").value;
      const headers = { "X-CSRFToken": token, "HX-Request": "true" };
      const answer = await fetch(target.dataset.acknowledge, { method: "POST", headers });
      if (answer.ok) document.getElementById("totals").outerHTML = await answer.text();
      else target.disabled = false;
    }
  });

  document.addEventListener("submit", (event) => {
    if (!("once" in event.target.dataset)) return;
    if (event.target.dataset.sent) { event.preventDefault(); return; }
    event.target.dataset.sent = "yes";
    for (const button of event.target.querySelectorAll("button")) { button.disabled = true; button.textContent = "Sending…"; }
  });
  // A page that comes back from the browser's history may be sent again: its request id makes that harmless.
  window.addEventListener("pageshow", (event) => { if (event.persisted && document.querySelector("[data-sent]")) location.reload(); });

  const keysSwitch = document.querySelector("[data-keys-switch]");
  if (keysSwitch) {
    keysSwitch.checked = keysOn();
    keysSwitch.addEventListener("change", () => localStorage.setItem("keys", keysSwitch.checked ? "on" : "off"));
  }
  let waitingForPage = 0;
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.shiftKey) { location.href = document.querySelector("[data-stop]").href; return; }
    const typing = event.target.closest("input,select,textarea,dialog[open]");
    if (!help || typing || event.ctrlKey || event.metaKey || event.altKey || !keysOn()) return;
    if (Date.now() - waitingForPage < 1500) {
      const link = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
      waitingForPage = 0;
      if (link) { event.preventDefault(); link.click(); }
    } else if (event.key === "g") waitingForPage = Date.now();
    else if (event.key === "o") document.querySelector("[data-ticket]").click();
    else if (event.key === "?") help.showModal();
    else if (event.key === "/") { const find = document.getElementById("find"); if (find.offsetParent) { event.preventDefault(); find.focus(); } }
  });
})();
