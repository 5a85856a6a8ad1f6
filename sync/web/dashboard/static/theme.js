"use strict";
// Before the page is drawn: the theme that this browser chose last, else the system's. The button stands in the header.
(() => {
  const root = document.documentElement;
  const names = ["system", "light", "dark"];
  let chosen = "system";
  try { chosen = localStorage.getItem("theme") || "system"; } catch { /* no storage: the system's */ }
  const show = (name) => { if (name === "system") delete root.dataset.theme; else root.dataset.theme = name; };
  show(chosen);
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    if (!button) return;
    const label = () => { button.textContent = `Theme: ${chosen}`; };
    button.hidden = false;
    label();
    button.addEventListener("click", () => {
      chosen = names[(names.indexOf(chosen) + 1) % names.length];
      try { localStorage.setItem("theme", chosen); } catch { /* it holds for this page */ }
      show(chosen);
      label();
      dispatchEvent(new Event("themechange"));
    });
  });
})();
