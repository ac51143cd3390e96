/* The review desk. The same forms as without this script, sent in the background: the next case is swapped in,
   the lease is renewed while somebody is there, and a draft survives whatever happens to the connection. */
import { handlers, paintKeys } from "./keys.js";
import { localTimes, toast } from "./page.js";

const desk = document.body;
const $ = (selector, part = document) => part.querySelector(selector);
const $$ = (selector, part = document) => [...part.querySelectorAll(selector)];
const dwell = Number(desk.dataset.dwellMs), whole = Number(desk.dataset.leaseSeconds);
const BACKGROUND = { "Phasegate-Background": "1" };

let shownAt = 0, lastReason = null, endsAt = 0, lost = false, lostAt = 0, activeAt = performance.now(), renewedAt = performance.now(), renewing = false;
let unsent = null; // what to send again when the connection is back
let dwellTimer;

const held = () => $(".case[data-item]");
const rows = () => $$(".out-row");
const changed = () => rows().filter((row) => row.hasAttribute("data-changed"));
const say = (text) => { const note = $(".dock-note"); if (note) note.textContent = text; };
const busy = (on) => { desk.ariaBusy = String(on); };

/* drafts: by person, case and fingerprint, on this device only */
const draftKey = () => held() && `draft:${desk.dataset.viewer}:${held().dataset.item}:${held().dataset.fingerprint}`;
function saveDraft() {
  if (!held()) return;
  const values = Object.fromEntries(changed().map((row) => [control(row).name, control(row).value]));
  try {
    if (Object.keys(values).length) sessionStorage.setItem(draftKey(), JSON.stringify(values)); else sessionStorage.removeItem(draftKey());
  } catch { /* a full or forbidden storage: the draft lasts as long as the page */ }
}
function restoreDraft() {
  let values = {};
  try { values = JSON.parse(sessionStorage.getItem(draftKey()) || "{}"); } catch { /* unreadable is as good as none */ }
  for (const row of rows()) {
    const field = control(row);
    if (!field) continue;
    if (field.name in values) field.value = values[field.name];
    compare(field);
  }
}
function forgetDraft(key) { try { sessionStorage.removeItem(key); } catch { /* see saveDraft */ } }

/* showing */
const control = (row) => $("input.input, textarea.input, select.input", row);
function begin(focus) {
  const now = held();
  shownAt = performance.now();
  lost = false;
  unsent = null;
  hideBanners();
  localTimes();
  paintKeys();
  clearTimeout(dwellTimer);
  if (now) {
    endsAt = performance.now() + Number(now.dataset.seconds) * 1000;
    renewedAt = performance.now();
    restoreDraft();
    const approve = $("[data-cmd=approve]");
    approve.setAttribute("aria-disabled", "true");
    dwellTimer = setTimeout(() => approve.removeAttribute("aria-disabled"), dwell);
    label();
    paintLease();
  }
  const wrong = $("[aria-invalid=true]");
  if (focus) (wrong || $("[data-region=case] h1"))?.focus({ preventScroll: !wrong });
  document.title = `${$("[data-region=case] h1")?.textContent || "Review"} · Phasegate`;
}
function swap(html) {
  const next = new DOMParser().parseFromString(html, "text/html");
  for (const part of $$("[data-region]", next)) $(`[data-region=${part.dataset.region}]`)?.replaceWith(document.importNode(part, true));
  for (const pane of $$(".pane")) pane.scrollTop = 0;
  begin(true);
  const ruled = $("[data-region=case]").dataset.ruled;
  if (ruled) toast(ruled);
}
function label() {
  const count = changed().length, words = $("[data-cmd=approve] [data-label]");
  if (words) words.textContent = count ? `Approve with ${count} edit${count > 1 ? "s" : ""}` : "Approve";
}
function hideBanners() { for (const one of $$(".desk-main > .banner")) one.hidden = true; }

/* sending */
async function send(form, submitter) {
  if (desk.ariaBusy === "true") return;
  const body = new URLSearchParams(new FormData(form, submitter)), key = draftKey();
  busy(true);
  try {
    const answer = await fetch(form.action, { method: "POST", body, headers: BACKGROUND, redirect: "error" });
    const text = await answer.text();
    if (answer.ok) { if (key) forgetDraft(key); swap(text); }
    else if (answer.status === 422 && !isProblem(answer)) swap(text);
    else refused(answer.status, isProblem(answer) ? JSON.parse(text) : {});
  } catch {
    unsent = () => send(form, submitter);
    offline(true);
  } finally {
    busy(false);
  }
}
const isProblem = (answer) => (answer.headers.get("content-type") || "").includes("problem+json");
function refused(status, problem) {
  if (status === 409 && ("held_by" in problem || problem.type === "/problems/not-held")) return showLost(problem);
  hideBanners();
  $("[data-refused]").hidden = false;
  $("[data-refused-title]").textContent = status === 401 ? "You are signed out." : `${problem.title || "It could not be stored"}.`;
  $("[data-refused-words]").textContent = status === 401 ? "Nothing was recorded. Sign in again; your draft is kept." : `${capital(problem.detail || "Nothing was recorded")}. Your draft is kept.`;
}
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
function offline(on) {
  const banner = $("[data-offline]");
  if (on && banner.hidden) $("[data-since]").textContent = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  banner.hidden = !on;
  if (on) say("Nothing was recorded.");
}
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.closest("[data-region]")) return;
  event.preventDefault();
  send(form, event.submitter);
});

/* ruling */
function armed() {
  if (!held()) return false;
  if (lost) { say("You do not hold this case any more. Nothing was recorded."); return false; }
  if (performance.now() - shownAt >= dwell) return true;
  say(`Ruling opens ${dwell / 1000} s after the case is shown. Nothing was recorded.`);
  return false;
}
const reasons = () => $(".reasons");
const reasonsOpen = () => reasons() && !reasons().hasAttribute("data-off");
function openReasons(on) {
  reasons().toggleAttribute("data-off", !on);
  $("[data-cmd=reject]").setAttribute("aria-expanded", String(on));
  if (on) { $("[data-reason]", reasons())?.focus(); say("Choose a reason with 1 to 9. Esc closes."); } else say("");
}
Object.assign(handlers, {
  approve() { if (armed()) $("#rule").requestSubmit($("[data-cmd=approve]")); },
  reject() {
    if (!held()) return;
    if (reasonsOpen() && lastReason) handlers.reason(lastReason); else openReasons(!reasonsOpen());
  },
  reason(key) {
    const button = reasonsOpen() && $(`[data-reason="${CSS.escape(key)}"]`, reasons());
    if (!button || !armed()) return;
    lastReason = key;
    $("#rule").requestSubmit(button);
  },
  escalate() { if (armed()) $("#rule").requestSubmit($("[data-cmd=escalate]")); },
  skip() { if (held()) $("#release").requestSubmit(); },
  edit() { const first = rows().map(control).find(Boolean); first?.closest("details")?.setAttribute("open", ""); first?.focus(); },
  submit() { if (held()) handlers.approve(); },
  restore() {
    if (reasonsOpen()) { openReasons(false); $("[data-region=case] h1").focus({ preventScroll: true }); return; }
    for (const row of changed()) { control(row).value = control(row).dataset.was; compare(control(row)); }
    saveDraft();
    document.activeElement?.blur();
  },
  evidence() {
    const tabs = $$("[role=tab]");
    tabs[(tabs.findIndex((tab) => tab.getAttribute("aria-selected") === "true") + 1) % tabs.length]?.click();
  },
  why() { const part = $("[data-why]"); if (part) part.open = !part.open; },
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-cmd], [data-reason]");
  if (!button) return;
  event.preventDefault();               // the handlers send it, after they have looked whether it may be sent
  if (button.dataset.reason) handlers.reason(button.dataset.reason); else handlers[button.dataset.cmd]?.();
});
document.addEventListener("click", (event) => {
  if (!event.target.closest(".reasons button[name=ruling]:not([data-reason])")) return;
  if (!armed()) event.preventDefault();
});

/* editing: the difference stands under the field */
function difference(from, to) {
  let start = 0, end = 0;
  while (start < from.length && start < to.length && from[start] === to[start]) start += 1;
  while (end < from.length - start && end < to.length - start && from.at(-1 - end) === to.at(-1 - end)) end += 1;
  const cut = (text) => text.slice(start, text.length - end);
  const part = (tag, text) => (text ? [Object.assign(document.createElement(tag), { textContent: text })] : []);
  return [from.slice(0, start), ...part("del", cut(from)), ...part("ins", cut(to)), end ? from.slice(-end) : ""];
}
function compare(field) {
  const row = field.closest(".out-row"), from = field.dataset.was, to = field.value, out = $(".diff", row);
  row.toggleAttribute("data-changed", from !== to);
  out.hidden = from === to || field.tagName === "SELECT";
  const told = Object.assign(document.createElement("span"), { className: "vh", textContent: "Agent said, then you: " });
  out.replaceChildren(...(out.hidden ? [] : [told, ...difference(from, to)]));
  label();
}
document.addEventListener("input", (event) => {
  if (!event.target.closest(".out-row")) return;
  compare(event.target);
  saveDraft();
});
document.addEventListener("focusin", (event) => {
  const source = event.target.closest?.(".out-row")?.dataset.src;
  for (const one of $$(".shown[data-active]")) one.removeAttribute("data-active");
  if (source) $(`.shown[data-src="${CSS.escape(source)}"]`)?.setAttribute("data-active", "");
});

/* the lease: renewed by signs of life, shown as time left, announced at a fifth */
for (const sign of ["keydown", "pointermove", "pointerdown", "wheel", "input"]) {
  document.addEventListener(sign, () => { activeAt = performance.now(); }, { passive: true });
}
async function renew(force = false) {
  if (renewing || !held() || (lost && !force)) return;
  renewing = true;
  const sentAt = performance.now(), item = held().dataset.item;
  const body = new URLSearchParams({ form_token: $("#rule [name=form_token]").value });
  try {
    const answer = await fetch(`/review/${item}/renew`, { method: "POST", body, headers: BACKGROUND, redirect: "error" });
    if (held()?.dataset.item !== item) return;
    const told = await answer.json();
    renewedAt = sentAt;
    offline(false);
    if (answer.ok) { endsAt = sentAt + told.seconds * 1000; lost = false; $("[data-lease-lost]").hidden = true; }
    else if (answer.status === 409) showLost(told);
    else if (answer.status === 401) refused(401, told);
  } catch {
    offline(true);
  } finally {
    renewing = false;
  }
}
function showLost(problem) {
  if (!lost) lostAt = performance.now();
  lost = true;
  hideBanners();
  const until = problem.held_until ? ` until ${new Date(problem.held_until).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}` : "";
  $("[data-holder]").textContent = problem.held_by && problem.held_by !== desk.dataset.viewer ? `${problem.held_by} has it${until}.` : `${capital(problem.detail || "It went back to the queue")}.`;
  $("[data-lease-lost]").hidden = false;
}
function paintLease() {
  const ring = $("[data-lease]");
  if (!ring || !held()) return;
  const left = lost ? 0 : Math.max(0, Math.round((endsAt - performance.now()) / 1000)), part = Math.min(1, left / whole);
  ring.dataset.tone = part > 0.2 ? "" : "warn";
  $("circle + circle", ring).setAttribute("stroke-dasharray", `${part * 50.3} 50.3`);
  $("[data-lease-left]").textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  $("[data-lease-warning]").hidden = part > 0.2 || lost || !$("[data-offline]").hidden;
}
setInterval(() => {
  if (!held()) return;
  paintLease();
  const now = performance.now(), every = Math.max(2, Math.min(60, whole / 10)) * 1000, there = now - activeAt < every;
  const ending = endsAt - now < whole * 200;                                     // the last fifth
  if (!lost && document.visibilityState === "visible" && there && activeAt > renewedAt && (now - renewedAt > every || (ending && now - renewedAt > 2000))) renew();
  if (!lost && now > endsAt) showLost({ detail: "Nobody worked on it for a while, so it went back to the queue" });
  if (lost && activeAt > lostAt && now - renewedAt > 5000) { renewedAt = now; renew(true); }   // perhaps nobody took it yet
}, 1000);
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-keep]")) renew();
  if (event.target.closest("[data-take-next]")) location.assign("/review");
  if (event.target.closest("[data-try-again]")) { const again = unsent; unsent = null; if (again) again(); else renew(true); }
});
addEventListener("online", () => renew(true));

begin(!$("[autofocus]"));
if (held()) renew();   // opening the page is a sign of life
