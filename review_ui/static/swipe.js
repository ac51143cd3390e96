/* On a phone: the case pushed to the right approves, to the left it asks why. The same handlers as the keys. */
import { handlers } from "./keys.js";

const FAR = 96;   // px
let start = null;

const moved = (event) => ({ x: event.clientX - start.x, y: event.clientY - start.y });
function show(x) {
  const part = start?.part;
  if (!part) return;
  part.style.translate = x ? `${Math.max(-FAR, Math.min(FAR, x)) / 2}px` : "";
  if (Math.abs(x) < FAR) delete document.body.dataset.swipe; else document.body.dataset.swipe = x > 0 ? "approve" : "reject";
}
function scrolls(target) {   // what moves sideways by itself, or is being typed into, is not swiped
  for (let part = target; part && !part.matches(".case"); part = part.parentElement) {
    if (part.matches("input, textarea, select, summary, [role=tablist]") || part.scrollWidth > part.clientWidth + 4) return true;
  }
  return false;
}
document.addEventListener("pointerdown", (event) => {
  const part = event.target.closest?.(".case");
  start = event.pointerType === "touch" && event.isPrimary && part && !part.hasAttribute("data-pair") && !scrolls(event.target) ? { x: event.clientX, y: event.clientY, part } : null;
}, { passive: true });
document.addEventListener("pointermove", (event) => {
  if (!start) return;
  const { x, y } = moved(event);
  if (Math.abs(y) > 40 && Math.abs(y) > Math.abs(x)) { show(0); start = null; } else if (Math.abs(x) > 16) show(x);
}, { passive: true });
document.addEventListener("pointerup", (event) => {
  if (!start) return;
  const { x, y } = moved(event);
  show(0);
  start = null;
  if (Math.abs(x) < FAR || Math.abs(y) > Math.abs(x) / 2) return;
  handlers[x > 0 ? "approve" : "reject"]?.();
}, { passive: true });
document.addEventListener("pointercancel", () => { show(0); start = null; });
