(() => {
  if (window.pomeyFrame) return;
  window.pomeyFrame = true;
  const live = document.createElement("div");
  live.setAttribute("role", "status");
  live.setAttribute("aria-live", "polite");
  live.className = "fr-live";
  document.body.append(live);
  const follow = () => {
    const product = document.querySelector("[data-language]");
    if (product && document.documentElement.lang !== product.dataset.language)
      document.documentElement.lang = product.dataset.language;
    // The framework names its drop zone and calls it decoration at once; it is a group with a name.
    for (const zone of document.querySelectorAll('[data-testid="stFileUploaderDropzone"][role="presentation"]')) zone.setAttribute("role", "group");
    const said = document.querySelector("[data-announce]");
    const text = said ? said.dataset.announce : "";
    if (live.dataset.last !== text) { live.dataset.last = text; live.textContent = text.split("|")[0]; }
  };
  // On a narrow screen the pages open below a menu; it closes behind whoever went to one.
  document.addEventListener("click", (event) => {
    if (event.target.closest(".st-key-frame-pages a")) document.querySelector(".fr-menu")?.removeAttribute("open");
  });
  new MutationObserver(follow).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-language", "data-announce"] });
  follow();
})();
