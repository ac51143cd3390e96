/* What changes on an open page without a reload: told by the server, one connection a page, none while it is hidden. */

let source = null, urgent = 0;
const listeners = [];

export function listen(hear) { listeners.push(hear); }

function connect() {
  if (source || document.visibilityState === "hidden") return;
  source = new EventSource("/review/events");
  source.addEventListener("queue", (event) => {
    const told = JSON.parse(event.data);
    for (const hear of listeners) hear(told);
  });
}
function disconnect() {
  source?.close();
  source = null;
}
document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") disconnect(); else connect(); });
addEventListener("pagehide", disconnect);
addEventListener("pageshow", connect);

export const many = (number) => (number >= 1000 ? "1,000+" : String(number));
listen((told) => {
  for (const count of document.querySelectorAll("[data-count]")) { count.textContent = many(told.left); count.hidden = !told.left; }
  urgent = told.urgent;
  paintUrgent();
});
/** How many are urgent; also in what was put into the page since it was told. */
export function paintUrgent(part = document) {
  for (const one of part.querySelectorAll("[data-urgent]")) {
    one.hidden = !urgent;
    one.querySelector("b").textContent = many(urgent);
  }
}
