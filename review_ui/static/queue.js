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
  const action = [...next.querySelectorAll("button:enabled, a")].find((one) => one.checkVisibility());
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
  document.querySelector("[data-elsewhere]").hidden = !wanted || rows().length > 0;
});
search.addEventListener("keydown", (event) => {
  if (event.key === "Escape") { search.value = ""; search.dispatchEvent(new Event("input")); search.blur(); }
  if (event.key === "Enter" && search.value.trim() && rows().length && search.value.trim() !== search.defaultValue) {
    event.preventDefault();
    current()?.removeAttribute("data-current");
    go(1);
  }
});

/* Cases that may be approved together: only those that have all in common with the first one chosen. */
const picker = document.getElementById("together"), boxes = () => [...document.querySelectorAll(".pick input")];
const boxOf = (row) => row?.querySelector(".pick input");
let last = null;   // where a choice with Shift begins
function paintPicked(told = "") {
  const picked = boxes().filter((box) => box.checked), first = picked[0]?.closest("tr").dataset.alike;
  for (const box of boxes()) {
    const row = box.closest("tr");
    box.disabled = "taken" in row.dataset || (first !== undefined && row.dataset.alike !== first);
    row.toggleAttribute("data-picked-row", box.checked);
  }
  picker.querySelector("[type=reset]").hidden = !picked.length;
  picker.toggleAttribute("data-any", picked.length > 0);
  picker.querySelector("[type=submit]").dataset.kind = picked.length ? "primary" : "";
  picker.querySelector("[data-picked]").textContent = told || (picked.length ? `${picked.length} chosen. Cases of which the agent said something else cannot be added.` : "Choose cases that you opened and gave back; of all of them the agent must have said the same.");
}
function pick(row, on) {
  const box = boxOf(row);
  if (!box) return paintPicked("Only what you opened today and gave back can be approved together with others.");
  if (box.disabled) return paintPicked("This case is not like those you chose, or somebody looks at it.");
  box.checked = on ?? !box.checked;
  last = row;
  paintPicked();
}
function pickOn(step) {
  if (boxOf(current())?.checked === false) pick(current(), true);
  go(step);
  pick(current(), true);
}
if (picker) {
  Object.assign(handlers, { pick: () => { if (!current()) go(1); pick(current()); }, pickDown: () => pickOn(1), pickUp: () => pickOn(-1) });
  document.addEventListener("click", (event) => {
    const box = event.target.closest(".pick input"), row = box?.closest("tr");
    if (!box) return;
    if (event.shiftKey && last && last !== row) {
      const all = rows(), [from, to] = [all.indexOf(last), all.indexOf(row)].sort((one, other) => one - other);
      for (const between of all.slice(from, to + 1)) {
        const other = boxOf(between);
        if (other && !other.disabled && between.dataset.alike === row.dataset.alike) other.checked = box.checked;
      }
    }
    last = row;
    paintPicked();
  });
  picker.addEventListener("reset", () => setTimeout(paintPicked));
  picker.addEventListener("submit", (event) => {
    if (boxes().some((box) => box.checked)) return;
    event.preventDefault();
    paintPicked("Nothing is chosen yet. X chooses the case you are on.");
  });
  paintPicked();
}

const shown = Number(document.body.dataset.waiting), agent = document.body.dataset.agent;
listen((told) => {
  for (const row of document.querySelectorAll("tr[data-item]")) {
    const holder = told.held[row.dataset.item]?.by || "", cell = row.querySelector("[data-held]"), mine = holder === document.body.dataset.viewer;
    if (!holder && !told.held_all) continue;   // it may be held and was not told
    if (cell.dataset.by === (mine ? "you" : holder)) continue;
    cell.dataset.by = mine ? "you" : holder;
    cell.textContent = cell.dataset.by || "–";
    row.toggleAttribute("data-taken", Boolean(holder));
    const box = boxOf(row);
    if (box && holder) box.checked = false;
    const claim = row.querySelector(".act form"), button = claim.querySelector("button");
    button.disabled = Boolean(holder);
    claim.hidden = mine;
    row.querySelector("[data-go-on]").hidden = !mine;
  }
  if (picker) paintPicked();
  const left = agent ? told.waiting[agent] || 0 : told.left;
  document.querySelector("[data-changed-queue]").hidden = left === shown || Boolean(search.defaultValue);
  document.querySelector("[data-changed-words]").textContent = `${many(left)} wait now.`;
});
const views = document.querySelectorAll("[data-view]");
if (views.length) handlers.view = (key) => views[Number(key) - 1]?.click();
paintKeys();
