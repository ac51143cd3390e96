/* The queue: J and K go from case to case, / finds a case, on this page as it is typed, and who holds what is told as it happens. */
import { handlers, paintKeys } from "./keys.js";
import { listen, many } from "./live.js";

const rows = () => [...document.querySelectorAll("tr[data-item]")].filter((row) => !row.hidden);
const current = () => document.querySelector("tr[data-current]");

function go(step) {
  const all = rows(), next = all[Math.max(0, Math.min(all.length - 1, all.indexOf(current()) + step))];
  if (!next) return;
  current()?.removeAttribute("data-current");
  next.setAttribute("data-current", "");
  const action = next.querySelector("button, a");
  if (!action) next.tabIndex = -1;
  (action || next).focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}
const search = document.getElementById("search");
Object.assign(handlers, {
  down: () => go(1),
  up: () => go(-1),
  search: () => { search.focus(); search.select(); },
});
search.addEventListener("input", () => {
  const wanted = search.value.trim().toLowerCase();
  for (const row of document.querySelectorAll("tr[data-item]")) row.hidden = !row.querySelector("th").textContent.toLowerCase().includes(wanted);
});
search.addEventListener("keydown", (event) => {
  if (event.key === "Escape") { search.value = ""; search.dispatchEvent(new Event("input")); search.blur(); }
  if (event.key === "Enter" && search.value.trim() && rows().length && search.value.trim() !== search.defaultValue) {
    event.preventDefault();
    current()?.removeAttribute("data-current");
    go(1);
  }
});

const shown = Number(document.body.dataset.waiting), agent = document.body.dataset.agent;
listen((told) => {
  for (const row of document.querySelectorAll("tr[data-item]")) {
    const holder = told.held[row.dataset.item]?.by || "", cell = row.querySelector("[data-held]"), mine = holder === document.body.dataset.viewer;
    if ((cell.dataset.by ?? cell.textContent.trim().split(/\s/)[0].replace("–", "")) === (mine ? "you" : holder)) continue;
    cell.dataset.by = mine ? "you" : holder;
    cell.textContent = cell.dataset.by || "–";
    const claim = row.querySelector("form button");
    if (claim) claim.disabled = Boolean(holder) && !mine;
  }
  const left = agent ? told.waiting[agent] || 0 : told.left;
  document.querySelector("[data-changed-queue]").hidden = left === shown || Boolean(search.defaultValue);
  document.querySelector("[data-changed-words]").textContent = `${many(left)} wait now.`;
});
paintKeys();
