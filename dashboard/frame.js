(() => {
  if (window.pomeyFrame) return;
  window.pomeyFrame = true;
  const SLACK = 1000;
  const SILENCE = 4000;
  const added = (name, role) => {
    const one = document.createElement("div");
    one.className = name;
    one.setAttribute("role", role);
    document.body.append(one);
    return one;
  };
  const live = added("fr-live", "status");
  live.setAttribute("aria-live", "polite");
  const bar = added("fr-lost", "alert");
  bar.hidden = true;
  const follow = () => {
    const product = document.querySelector("[data-language]");
    if (product && document.documentElement.lang !== product.dataset.language)
      document.documentElement.lang = product.dataset.language;
    // The framework names its drop zone and calls it decoration at once; it is a group with a name.
    for (const zone of document.querySelectorAll('[data-testid="stFileUploaderDropzone"][role="presentation"]')) zone.setAttribute("role", "group");
    const said = document.querySelector("[data-announce]");
    const text = said ? said.dataset.announce : "";
    if (live.dataset.last !== text) {
      live.dataset.last = text;
      live.textContent = text.split("|")[0];
      if (said?.matches(".fr-done")) said.scrollIntoView({ block: "nearest" });
    }
  };
  // On a narrow screen the pages open below a menu; it closes behind whoever went to one.
  document.addEventListener("click", (event) => {
    if (event.target.closest(".st-key-frame-pages a")) document.querySelector(".fr-menu")?.removeAttribute("open");
  });

  // The server is out of reach: said in our words, until what it holds is drawn again.
  let cut = false;
  let silent = false;
  let telling = 0;
  let listening = 0;
  const app = () => document.querySelector('[data-testid="stApp"]');
  const reached = () => navigator.onLine && !silent && app()?.dataset.testConnectionState === "CONNECTED";
  const tell = () => {
    bar.textContent = document.querySelector("[data-lost]")?.dataset.lost ?? "";
    bar.hidden = !bar.textContent;
    document.documentElement.classList.add("fr-cut");
  };
  const settle = () => {
    bar.hidden = true;
    bar.textContent = "";
    document.documentElement.classList.remove("fr-cut");
    for (const card of document.querySelectorAll("[data-waiting]")) delete card.dataset.waiting;
  };
  const watch = () => {
    if (!reached()) {
      if (!cut) telling = setTimeout(tell, navigator.onLine && !silent ? SLACK : 0);
      cut = true;
      // The framework's own words for it are English and about a terminal.
      document.querySelector('section[role="dialog"]:has(> h2[slot="title"]) > button')?.click();
    } else if (cut) {
      cut = false;
      clearTimeout(telling);
      // A server that was started again has forgotten this page: without this it would pass over the next click.
      again();
    }
  };
  const again = () => document.querySelector(".st-key-again button")?.click();
  const state = () => {
    clearTimeout(listening);
    silent = false;
    watch();
    if (!cut && app()?.dataset.testScriptState === "notRunning") settle();
  };
  // What was just chosen or written in a card is not saved yet; when no run follows, the server is asked, then missed.
  const wait = (from) => {
    const card = from.closest('[class*="st-key-card-"]');
    if (!card) return;
    card.dataset.waiting = "";
    clearTimeout(listening);
    listening = setTimeout(() => {
      again();
      listening = setTimeout(() => { silent = true; watch(); }, SLACK);
    }, SILENCE);
  };
  document.addEventListener("change", (event) => wait(event.target), true);
  addEventListener("online", watch);
  addEventListener("offline", watch);
  // Whoever comes back to this tab may have answered in another.
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && reached() && document.querySelector(".st-key-answering")) again();
  });
  new MutationObserver((seen) => {
    follow();
    for (const one of seen) if (one.attributeName === "data-selected") wait(one.target);
    if (seen.some((one) => one.attributeName === "data-test-script-state")) state();
    else if (cut || seen.some((one) => one.attributeName === "data-test-connection-state")) watch();
  }).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-language", "data-announce", "data-selected", "data-test-connection-state", "data-test-script-state"] });
  follow();
})();
