/* Ctrl K: pages, the cases of this page and every command, each command with its key, so that people learn the key. */
import { badges, handlers, live } from "./keys.js";

const dialog = document.getElementById("palette");
const field = dialog?.querySelector("input"), list = dialog?.querySelector("[role=listbox]"), none = dialog?.querySelector("[data-none]");
let found = [], at = 0;

/** What can be found: words, what it is, and what happens. */
function everything() {
  const commands = live().filter((entry) => !entry.keysOnly && !entry.sheetOnly).map((entry) => ({ words: entry.words, entry, run: () => handlers[entry.cmd]() }));
  const pages = [...document.querySelectorAll(".topnav a")].map((link) => ({ words: link.dataset.words || link.textContent.trim(), kind: "Page", run: () => link.click() }));
  const cases = [...document.querySelectorAll("[data-find]")].filter((one) => !one.disabled && one.checkVisibility()).map((one) => ({ words: one.dataset.find, kind: one.dataset.findKind || "Case", run: () => one.click() }));
  return [...pages, ...cases, ...commands];   // pages first: Enter by itself must never rule
}

function paint() {
  const wanted = field.value.trim().toLowerCase().split(/\s+/);
  found = everything().filter((one) => wanted.every((word) => one.words.toLowerCase().includes(word))).slice(0, 50);
  at = Math.min(at, Math.max(found.length - 1, 0));
  none.hidden = found.length > 0;
  list.replaceChildren(...found.map((one, index) => {
    const row = document.createElement("li"), words = document.createElement("span"), side = document.createElement("span");
    row.id = `palette-${index}`;
    row.setAttribute("role", "option");
    row.setAttribute("aria-selected", String(index === at));
    words.textContent = one.words;
    side.className = "small muted";
    side.append(...(one.entry ? badges(one.entry) : [one.kind]));
    row.append(words, side);
    row.addEventListener("click", () => run(index));
    return row;
  }));
  if (found.length) field.setAttribute("aria-activedescendant", `palette-${at}`); else field.removeAttribute("aria-activedescendant");
  list.children[at]?.scrollIntoView({ block: "nearest" });
}

function run(index) {
  const chosen = found[index];
  dialog.close();
  chosen?.run();
}

if (dialog) {
  handlers.palette = () => { field.value = ""; at = 0; dialog.showModal(); paint(); field.focus(); };
  field.addEventListener("input", () => { at = 0; paint(); });
  dialog.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) { at = (at + step + found.length) % Math.max(found.length, 1); paint(); }
    else if (event.key === "Enter" && event.target === field) run(at);
    else return;
    event.preventDefault();
  });
}
