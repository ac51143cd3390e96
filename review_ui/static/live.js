/* What changes on an open page without a reload: told by the server, one connection a page, none while it is hidden. */

let source = null;
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
  for (const urgent of document.querySelectorAll("[data-urgent]")) {
    urgent.hidden = !told.urgent;
    urgent.querySelector("b").textContent = many(told.urgent);
  }
});
