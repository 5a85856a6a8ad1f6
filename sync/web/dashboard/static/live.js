"use strict";
// Keeps the part of the page that changes up to date, and asks before a deed that costs something.
(() => {
  const part = document.getElementById("part");
  const light = document.getElementById("live");
  if (!part || !light) return;
  const STALE_MS = 15000;
  let heard = Date.now();

  const say = (isOn) => {
    light.hidden = false;
    light.classList.toggle("on", isOn);
    const words = isOn ? "live" : "not live: no answer";
    if (light.textContent !== words) light.textContent = words;
  };
  // What a person is in the middle of is left alone until they are done.
  const isBusy = () => {
    const selected = getSelection();
    return part.contains(document.activeElement) || (selected && !selected.isCollapsed && part.contains(selected.anchorNode));
  };

  const source = new EventSource(location.href);
  source.addEventListener("part", (event) => {
    heard = Date.now();
    say(true);
    if (isBusy()) return;
    const parsed = new DOMParser().parseFromString(event.data, "text/html");
    part.replaceChildren(...parsed.body.childNodes);
    dispatchEvent(new Event("part"));
  });
  setInterval(() => { if (Date.now() - heard > STALE_MS) say(false); }, 1000);
  addEventListener("pagehide", () => source.close());

  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !confirm(question)) event.preventDefault();
  });
})();
