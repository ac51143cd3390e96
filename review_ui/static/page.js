/* What every page adds to the server's HTML: theme, dialogs, tabs, toasts, and times in the reader's zone.
   Every page works without it, but for the theme switch and the keys. */
import { handlers, paintKeys } from "./keys.js";
import "./drafts.js";
import "./palette.js";

const root = document.documentElement;

/* theme */
const savedTheme = () => { try { return localStorage.getItem("theme") || "system"; } catch { return root.dataset.theme || "system"; } };
function setTheme(name) {
  if (name === "system") delete root.dataset.theme; else root.dataset.theme = name;
  try { localStorage.setItem("theme", name); } catch { /* private mode: lasts for this page */ }
  paintTheme(name);
}
function paintTheme(name = savedTheme()) {
  for (const button of document.querySelectorAll("[data-theme-set]")) button.setAttribute("aria-pressed", String(button.dataset.themeSet === name));
}

/* times: the server writes UTC, the reader sees their own zone */
const MOMENT = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const MOMENT_OF_A_YEAR = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
const CLOCK = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const FULL = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" });
document.cookie = `phasegate_zone=${Intl.DateTimeFormat().resolvedOptions().timeZone}; path=/; max-age=31536000; samesite=lax`;   // when the day begins
export function localTimes(part = document) {
  for (const time of part.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (!time.dateTime.includes("T") || Number.isNaN(at.getTime())) continue;
    time.title = FULL.format(at);
    const near = Math.abs(Date.now() - at.getTime()) < 300 * 86_400_000;
    if (time.dataset.when === "moment") time.textContent = (near ? MOMENT : MOMENT_OF_A_YEAR).format(at);
    if (time.dataset.when === "clock") time.textContent = CLOCK.format(at);
    if (time.dataset.when === "day") time.textContent = DAY.format(at);
  }
}

/* where one stands is seen on a phone too, whose tabs are wider than it */
for (const here of document.querySelectorAll(".tabs [aria-current], .topnav [aria-current]")) {
  const frame = here.closest(".tabs, .topnav");
  frame.scrollLeft += Math.max(0, here.getBoundingClientRect().right - frame.getBoundingClientRect().right);
}

/* toast: one live region, so a screen reader hears it once; with Undo for as long as undoing is possible */
let toastTimer;
export function toast(text, { seconds = 8, undo = false } = {}) {
  const area = document.querySelector(".toasts");
  if (!area) return;
  const box = document.createElement("div"), words = document.createElement("span");
  let left = Math.ceil(seconds);
  box.className = "toast";
  words.textContent = text;
  box.append(words);
  const count = document.createElement("small");
  if (undo) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "btn", textContent: "Undo" });
    button.dataset.size = "sm";
    button.dataset.cmd = "undo";
    count.textContent = left;
    count.setAttribute("aria-hidden", "true");
    box.append(button, count);
  }
  area.replaceChildren(box);
  if (undo) paintKeys(area);
  clearInterval(toastTimer);
  toastTimer = setInterval(() => {
    left -= 1;
    if (undo) count.textContent = left;
    if (left <= 0) untoast();
  }, 1000);
}
export function untoast() {
  clearInterval(toastTimer);
  document.querySelector(".toasts")?.replaceChildren();
}

/* tabs */
function choose(tab) {
  for (const other of tab.parentElement.querySelectorAll("[role=tab]")) {
    other.setAttribute("aria-selected", String(other === tab));
    other.tabIndex = other === tab ? 0 : -1;
    document.getElementById(other.getAttribute("aria-controls"))?.toggleAttribute("data-off", other !== tab);
  }
}

const onClick = (selector, act) => document.addEventListener("click", (event) => {
  const hit = event.target.closest?.(selector);
  if (hit) act(hit, event);
});
onClick("[data-theme-set]", (button) => setTheme(button.dataset.themeSet));
onClick("[data-open]", (link, event) => {
  const dialog = document.getElementById(link.dataset.open);
  if (!dialog?.showModal) return;
  event.preventDefault();
  dialog.showModal();
});
onClick("[data-close]", (button, event) => { event.preventDefault(); button.closest("dialog").close(); });
onClick("dialog", (dialog, event) => { if (event.target === dialog) dialog.close(); });
onClick("[role=tab]", choose);
document.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key], tab = event.target.closest?.("[role=tab]");
  if (!step || !tab) return;
  const all = [...tab.parentElement.querySelectorAll("[role=tab]")], next = all[(all.indexOf(tab) + step + all.length) % all.length];
  choose(next);
  next.focus();
});

/* a form is sent once, however often its button is pressed */
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || event.target.closest("[data-region]")) return;
  if (event.target.ariaBusy === "true") { event.preventDefault(); return; }
  event.target.ariaBusy = "true";
});
addEventListener("pageshow", () => { for (const form of document.querySelectorAll("form[aria-busy]")) form.ariaBusy = "false"; });
addEventListener("beforeprint", () => { for (const part of document.querySelectorAll("details")) part.open = true; });

onClick("[data-cmd]", (button, event) => {   // the handler sends it, after it has looked whether it may be sent
  if (!handlers[button.dataset.cmd]) return;
  event.preventDefault();
  handlers[button.dataset.cmd]();
});
for (const [cmd, address] of [["desk", "/review"], ["queue", "/review/queue"], ["agents", "/agents"]]) {
  const link = document.querySelector(`.topnav a[href="${address}"]`);
  if (link) handlers[cmd] = () => link.click();
}
handlers.keys = document.getElementById("keys") ? () => document.getElementById("keys").showModal() : undefined;
paintTheme();
localTimes();
paintKeys();
const said = document.querySelector(".toasts .toast");
if (said) setTimeout(() => said.remove(), 8000);
