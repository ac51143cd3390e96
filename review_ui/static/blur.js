/* Pictures that the agent's settings call sensitive are blurred until somebody asks for them; without this script too.
   What was shown of a case stays shown, also when its page is loaded again. */
import { handlers } from "./keys.js";

const quietly = (act) => { try { return act(); } catch { return null; } };   // forbidden: they are blurred again
const pictures = (part) => [...(part?.querySelectorAll("details.sensitive") || [])];
const keyOf = (part) => `shown:${part.dataset.item}`;

function remember(part) {
  const shown = pictures(part).flatMap((one, n) => (one.open ? [n] : []));
  quietly(() => sessionStorage.setItem(keyOf(part), shown.join(" ")));
}
function restore() {
  const part = document.querySelector(".case[data-item]");
  const shown = part && (quietly(() => sessionStorage.getItem(keyOf(part))) || "").split(" ");
  pictures(part).forEach((one, n) => { if (shown.includes(String(n))) one.open = true; });
}
handlers.blur = () => {
  const all = pictures(document.querySelector(".case")), blurred = all.some((one) => !one.open);
  for (const one of all) one.open = blurred;
};
document.addEventListener("toggle", (event) => {
  const part = event.target.matches?.("details.sensitive") && event.target.closest(".case[data-item]");
  if (part) remember(part);
}, { capture: true });

restore();
new MutationObserver(restore).observe(document.querySelector("#main"), { childList: true });
