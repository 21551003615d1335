// Keeps a page of the last hours fresh: asks for it again now and then, and puts the new content in place of the old.
"use strict";

(() => {
  const button = document.getElementById("live");
  const told = document.getElementById("told");
  let main = document.getElementById("main");
  const seconds = Number(main.dataset.live);
  if (!button || !seconds) return;

  const KEY = "analytics-live";
  let on = remembered() !== "off";
  let failed = 0;
  button.hidden = false;
  show();
  button.addEventListener("click", () => {
    on = !on;
    failed = 0;
    remember(on ? "on" : "off");
    show();
    if (on) refresh();
  });
  setInterval(() => {
    if (on && !document.hidden && !busy()) refresh();
  }, seconds * 1000);

  // Whoever writes, has opened a form or has marked a text is not disturbed.
  function busy() {
    const active = document.activeElement;
    const writes = active && main.contains(active) && active !== main;
    const opened = main.querySelector("details[open]");
    const marked = getSelection() && !getSelection().isCollapsed;
    return Boolean(writes || opened || marked);
  }

  async function refresh() {
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("main");
      if (!fresh || !on || busy()) return;
      main.replaceWith(document.adoptNode(fresh));
      main = fresh;
      if (failed > 0) told.textContent = "The page is live again.";
      failed = 0;
    } catch {
      failed += 1;
      if (failed === 1) told.textContent = "The service does not answer; the page shows what it last knew.";
    }
    show();
  }

  function show() {
    button.setAttribute("aria-pressed", String(on));
    button.classList.toggle("stale", failed > 0);
    button.textContent = failed > 0 ? "No answer" : on ? "Live" : "Paused";
    button.title = on ? "The page is refreshed by itself; press to pause" : "Press to refresh the page by itself";
  }

  // A browser may refuse storage; then the choice lasts as long as the page.
  function remembered() {
    try {
      return sessionStorage.getItem(KEY);
    } catch {
      return null;
    }
  }

  function remember(choice) {
    try {
      sessionStorage.setItem(KEY, choice);
    } catch {
      // Nothing to do.
    }
  }
})();
