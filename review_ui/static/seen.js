/* What was looked at: before a risky case can be approved, every piece of evidence was opened and its end was in view. */

const seen = new WeakSet();   // panels and long texts whose end a person had before them
const observer = "IntersectionObserver" in window ? new IntersectionObserver((found) => {
  for (const one of found) if (one.isIntersecting) { seen.add(one.target.parentElement); observer.unobserve(one.target); }
}) : null;

const longer = (part) => part.scrollHeight > part.clientHeight + 8;
const atItsEnd = (part) => part.scrollTop + part.clientHeight >= part.scrollHeight - 8;
document.addEventListener("scroll", (event) => {
  const part = event.target;
  if (part.matches?.(".long") && atItsEnd(part)) seen.add(part);
}, { capture: true, passive: true });

/* What is before the person now. The browser tells of it a frame later, and a key may come before that frame. */
function look(panel) {
  if (panel.hasAttribute("data-off")) return;
  const end = panel.querySelector(":scope > [data-end]")?.getBoundingClientRect(), pane = panel.closest(".pane").getBoundingClientRect();
  if (end && end.top < Math.min(pane.bottom, innerHeight)) seen.add(panel);
  for (const part of panel.querySelectorAll(".long")) if (atItsEnd(part)) seen.add(part);
}
document.addEventListener("click", (event) => {
  if (event.target.closest?.("[role=tab]")) document.querySelectorAll("[data-evidence]").forEach(look);   // it is about to be left
}, { capture: true });

export function watch(part) {
  for (const end of part.querySelectorAll("[data-end]")) observer?.observe(end);
}

/** What is still to be looked at, in words; nothing when all of it was. */
export function unseen(part) {
  if (!part.hasAttribute("data-see-all") || !observer) return "";
  for (const panel of part.querySelectorAll("[data-evidence]")) {
    const name = panel.dataset.evidence;
    look(panel);
    if (!seen.has(panel)) return panel.hasAttribute("data-off") ? `Open “${name}” first` : `Look at all of “${name}” first`;
    const blurred = panel.querySelector("details.sensitive:not([open]) + img");
    if (blurred) return `Show “${blurred.alt}” first`;
    const rest = [...panel.querySelectorAll(".long")].find((one) => longer(one) && !seen.has(one));
    if (rest) return `Read “${rest.getAttribute("aria-label")}” to its end first`;
  }
  return "";
}
