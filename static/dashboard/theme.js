// Applies the stored theme before the first paint; without a stored one the system's choice holds.
(() => {
  const stored = localStorage.getItem("theme");
  if (stored === "light" || stored === "dark") document.documentElement.dataset.theme = stored;
})();
