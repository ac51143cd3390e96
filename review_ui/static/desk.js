/* The review desk. The same forms as without this script, sent in the background. The cases that follow are in the page
   already, held for this person; a ruling shows the next one at once and is stored behind it, and what cannot be stored
   comes back with its draft. */
import { handlers, paintKeys } from "./keys.js";
import { compare, control } from "./compare.js";
import * as drafts from "./drafts.js";
import { showEarlier } from "./earlier.js";
import { listen, many, paintUrgent } from "./live.js";
import { localTimes, toast, untoast } from "./page.js";
import { unseen, watch } from "./seen.js";
import "./swipe.js";
import "./blur.js";

const desk = document.body;
const $ = (selector, part = document) => part.querySelector(selector);
const $$ = (selector, part = document) => [...part.querySelectorAll(selector)];
const whole = Number(desk.dataset.leaseSeconds);
const BACKGROUND = { "Phasegate-Background": "1" };
const QUICK = 800;         // ms; no longer is a rejection held up, which approves nothing unread
const PATIENCE = 20_000;   // ms; then nobody knows whether it was stored
const now = () => performance.now();

let shownAt = 0, lastReason = null, dwellTimer, unsent = null;
let endsAt = 0, lost = false, lostAt = 0, activeAt = now(), renewedAt = now(), renewing = false;
let ahead = [];       // the cases that follow: { item, parts, until }
let behind = [];      // rulings on their way: { item, form, submitter, body, key, parts }
let sending = null;   // until all of them are stored
let done = [];        // what can be undone: { item, parts, until }

const held = () => $(".case[data-item]");
const itemShown = () => held()?.dataset.item || "";
const veiled = () => held()?.hasAttribute("data-veiled");
const paired = () => held()?.hasAttribute("data-pair");
const rows = () => $$(".out-row");
const typed = () => $$(".case [data-draft]").some((field) => field.value);
const changed = () => rows().filter((row) => row.hasAttribute("data-changed"));
const say = (text) => { const note = $(".dock-note"); if (note) note.textContent = text; };
const busy = (on) => { desk.ariaBusy = String(on); };
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const draftKey = () => held() && drafts.keyOf(desk.dataset.viewer, held());

/* drafts */
function saveDraft() {
  if (!held()) return;
  const values = Object.fromEntries(changed().map((row) => [control(row).name, control(row).value]));
  const free = $$("[data-draft], .dock #note").filter((field) => field.value);
  drafts.keep(draftKey(), Object.assign(values, ...free.map((field) => ({ [field.name]: field.value }))));
}
/** What was ruled on is done with, however it was shown; to answer first or to give back is no ruling. */
function dropDraft({ form, key }) {
  if (form.id === "rule" && !form.hasAttribute("data-wait")) drafts.dropCase(key); else drafts.drop(key);
}
function restoreDraft() {
  const values = drafts.kept(draftKey());
  for (const field of $$("[data-draft], .dock #note")) if (field.name in values) field.value = values[field.name];
  for (const row of rows()) {
    const field = control(row);
    if (!field) continue;
    if (field.name in values) field.value = values[field.name];
    compare(field);
  }
}

/* showing */
const partsShown = () => ({ case: $("[data-region=case]"), dock: $("[data-region=dock]") });
function put(parts) {
  if ($("[data-region=case]") === parts.case) return;
  $("[data-region=case]").replaceWith(parts.case);
  $("[data-region=dock]").replaceWith(parts.dock);
  for (const pane of $$(".pane")) pane.scrollTop = 0;
  if ($(".pane") && getComputedStyle($(".pane")).overflowY === "visible") scrollTo(0, 0);
}
function begin(focus) {
  shownAt = now();
  lost = false;
  unsent = null;
  hideBanners();
  localTimes();
  paintKeys();
  clearTimeout(dwellTimer);
  if (held()) {
    endsAt = now() + Number(held().dataset.seconds) * 1000;
    renewedAt = now();
    openReasons(false);
    restoreDraft();
    showEarlier(draftKey());
    watch(held());
    const approve = $("[data-cmd=approve]"), dwell = dwellOf();
    approve?.setAttribute("aria-disabled", "true");
    dwellTimer = setTimeout(() => approve?.removeAttribute("aria-disabled"), dwell);
    label();
    paintLease();
  }
  paintUndo();
  const wrong = $("[aria-invalid=true]");
  if (focus) (wrong || $("[data-region=case] [data-focus]") || $("[data-region=case] h1"))?.focus({ preventScroll: !wrong });
  document.title = `${$("[data-region=case] h1")?.textContent || "Review"} · Phasegate`;
}
const dwellOf = () => (veiled() ? 0 : Number(held()?.dataset.dwellMs) || 0);
function label() {
  const count = changed().length, words = $("[data-cmd=approve] [data-label]");
  if (words) words.textContent = count ? `Approve with ${count} edit${count > 1 ? "s" : ""}` : "Approve";
}
function hideBanners() { for (const one of $$(".desk-main > .banner")) one.hidden = true; }

/* what the server answers: the status line, the case it holds for us, the ones that follow, what can be undone */
function adopt(html, sentAt, { follow = true } = {}) {
  const page = new DOMParser().parseFromString(html, "text/html"), told = $("[data-desk]", page)?.dataset || {};
  const status = $("[data-region=status]", page);
  if (status) {
    $("[data-region=status]").replaceWith(document.importNode(status, true));
    localTimes($("[data-region=status]"));
    paintUrgent();
  }
  const gold = $("[data-gold]", page);
  if (gold && gold.textContent.trim() !== $("[data-gold]").textContent.trim()) $("[data-gold]").replaceWith(document.importNode(gold, true));
  const known = ahead.find((one) => one.item === told.current);
  followed(page, told, sentAt);
  if (Number(told.undoSeconds) > 0) {
    const ruled = [...done, ...behind].find((one) => one.item === told.undoItem);
    done = [...done.filter((one) => one.item !== told.undoItem), { item: told.undoItem, parts: ruled?.parts, until: sentAt + Number(told.undoSeconds) * 1000 }];
  }
  const parts = { case: $("[data-region=case]", page), dock: $("[data-region=dock]", page) };
  const another = told.current !== itemShown() || !itemShown();
  if (known && follow && another) {
    put(known.parts);
    begin(true);
    endsAt = sentAt + Number(told.seconds) * 1000;
  } else if (parts.case && parts.dock && follow && (another || told.again !== undefined)) {
    put({ case: document.importNode(parts.case, true), dock: document.importNode(parts.dock, true) });
    begin(true);
  } else if (told.current && told.current === itemShown()) {
    endsAt = sentAt + Number(told.seconds) * 1000;
    renewedAt = sentAt;
  }
  paintLease();
  paintUndo();
  return told;
}
function followed(page, told, sentAt) {
  if (told.ahead === undefined) return;
  const until = sentAt + (Number(told.aheadSeconds) - 5) * 1000, known = new Map(ahead.map((one) => [one.item, one]));
  for (const template of $$("template[data-item]", page)) {
    const parts = document.importNode(template.content, true);
    known.set(template.dataset.item, { item: template.dataset.item, parts: { case: $("[data-region=case]", parts), dock: $("[data-region=dock]", parts) } });
  }
  const leaving = new Set([itemShown(), told.current, ...behind.map((one) => one.item)]);
  ahead = told.ahead.split(" ").filter((item) => known.has(item) && !leaving.has(item)).map((item) => ({ ...known.get(item), until }));
  desk.dataset.following = ahead.length;   // for who watches the page from outside
}
function form(more = {}) {
  const have = [itemShown(), ...ahead.map((one) => one.item)].filter(Boolean).join(" ");
  const part = Object.fromEntries(new URLSearchParams(desk.dataset.part));
  return new URLSearchParams({ form_token: desk.dataset.formToken, ...part, have, ...more });
}
async function ask(address, body) {
  const keepalive = String(body).length < 50_000;   // a ruling outlives the page; browsers keep no more than 64 kB
  return fetch(address, { method: "POST", body, headers: BACKGROUND, redirect: "error", keepalive, signal: AbortSignal.timeout(PATIENCE) });
}
const isProblem = (answer) => (answer.headers.get("content-type") || "").includes("problem+json");

/* sending: at once with the next case in sight, else with keys at rest until the answer is there */
function send(sent, submitter) {
  if (desk.ariaBusy === "true") return;
  const body = new URLSearchParams(new FormData(sent, submitter));
  const entry = { item: itemShown(), form: sent, submitter, body, key: draftKey(), parts: partsShown() };
  if (!navigator.onLine) { unsent = () => send(sent, submitter); offline(true); return; }
  const next = ahead[0];
  if (sent.hasAttribute("data-wait") || changed().length || typed() || !next || next.until < now()) { wait(entry); return; }
  ahead.shift();
  behind.push(entry);
  put(next.parts);
  begin(true);
  endsAt = now() + whole * 1000;   // the answer says it to the second
  paintLease();                    // or it is shown as nearly over until the next second
  sending ||= deliver().finally(() => { sending = null; });
}
async function deliver() {
  while (behind.length) {
    const entry = behind[0], sentAt = now();
    const next = behind[1]?.item || itemShown();
    for (const [name, value] of form({ shown: next })) entry.body.set(name, value);
    entry.body.set("have", [entry.body.get("have"), ...behind.map((one) => one.item)].join(" "));
    let answer, text;
    try { answer = await ask(entry.form.action, entry.body); text = await answer.text(); } catch { return comeBack(() => { unsent = again(entry); offline(true); }); }
    if (answer.status === 422 && !isProblem(answer)) return comeBack(() => adopt(text, sentAt));
    const problem = !answer.ok && isProblem(answer) ? JSON.parse(text) : {};
    if (ended(answer.status, problem)) {
      behind.shift();
      if (behind.length) tellEnded(problem, entry.key); else await goOn(problem, entry.key, itemShown());
      continue;
    }
    if (!answer.ok) return comeBack(() => refused(answer.status, problem));
    dropDraft(entry);
    const typed = typedIn(draftKey()), last = behind.length === 1, told = adopt(text, sentAt, { follow: last });
    behind.shift();
    if (told.ruled) announce(told, told.gone && typed);
  }
}
/** A case that ended meanwhile, say because a newer output came, takes no ruling: the page says so and goes on. */
const ended = (status, problem) => status === 409 && problem.type === "/problems/already-ended";
const tellEnded = (problem, key) => toast([`${capital(problem.detail)}. Nothing was recorded.`, typedIn(key)].filter(Boolean).join(" "));
const typedIn = (key) => (key && Object.keys(drafts.kept(key)).length ? "What you typed there is kept on this device." : "");
async function goOn(problem, key, shown) {
  const sentAt = now(), answer = await ask("/review/next", form({ shown })).catch(() => null);
  if (!answer) return offline(true);
  const text = await answer.text();
  if (answer.ok) adopt(text, sentAt); else refused(answer.status, isProblem(answer) ? JSON.parse(text) : {});
  tellEnded(problem, key);
}
/** What was not stored is shown again with its draft; what was shown meanwhile follows it. */
function comeBack(tell) {
  const back = behind.map(({ item, parts }) => ({ item, parts, until: Infinity }));
  if (held()) back.push({ item: itemShown(), parts: partsShown(), until: endsAt });
  behind = [];
  ahead = [...back.slice(1), ...ahead];
  put(back[0].parts);
  begin(true);
  tell();
}
async function wait(entry) {
  busy(true);
  try {
    await sending;
    if (itemShown() !== entry.item) return;   // one before it came back and is shown; nothing of this one was sent
    const sentAt = now();
    for (const [name, value] of form()) if (!entry.body.has(name)) entry.body.set(name, value);
    const answer = await ask(entry.form.action, entry.body), text = await answer.text();
    if (answer.ok) {
      dropDraft(entry);
      behind = [entry];   // so that undoing finds it as it was
      const told = adopt(text, sentAt);
      if (told.ruled) announce(told);
    } else if (answer.status === 422 && !isProblem(answer)) adopt(text, sentAt);
    else {
      const problem = isProblem(answer) ? JSON.parse(text) : {};
      if (ended(answer.status, problem)) await goOn(problem, entry.key, ""); else refused(answer.status, problem);
    }
  } catch {
    unsent = again(entry);
    offline(true);
  } finally {
    behind = behind.filter((one) => one !== entry);
    busy(false);
  }
}
/** What became of a ruling, and of the case that was shown behind it where that was no longer to be had. */
function announce(told, kept) { toast([told.ruled, told.gone, kept].filter(Boolean).join(" "), Number(told.undoSeconds) > 0 && told.again === undefined ? { undo: true, seconds: Number(told.undoSeconds) } : {}); }
function refused(status, problem) {
  if (status === 409 && ("held_by" in problem || problem.type === "/problems/not-held")) return showLost(problem);
  hideBanners();
  $("[data-refused]").hidden = false;
  const kept = Object.keys(drafts.kept(draftKey())).length ? " What you typed is kept, and stands above the fields if the case comes to you again." : "";
  $("[data-refused-title]").textContent = status === 401 ? "You are signed out." : `${problem.title || "It could not be stored"}.`;
  $("[data-refused-words]").textContent = status === 401 ? "Nothing was recorded. Sign in again; your draft is kept." : `${capital(problem.detail || "Nothing was recorded")}.${kept}`;
}
/** What was sent and not answered may have arrived. The same sent again is one ruling. */
const again = (entry) => Object.assign(() => send(entry.form, entry.submitter), { maybe: true });
function offline(on) {
  const banner = $("[data-offline]");
  if (on && banner.hidden) $("[data-since]").textContent = new Date().toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  banner.hidden = !on;
  $("[data-offline-words]").textContent = unsent?.maybe ? "No answer came. Try again: what arrived is recorded once." : "Nothing is ruled until the connection is back.";
  if (on && !unsent?.maybe) say("Nothing was recorded.");
}
document.addEventListener("submit", (event) => {
  const sent = event.target;
  if (sent.closest("[data-gold]")) {   // put away behind the page, which keeps what it holds
    event.preventDefault();
    ask(sent.action, form()).then((answer) => { if (answer.ok) $("[data-gold]").replaceChildren(); }, () => offline(true));
  }
  if (!sent.closest("[data-region]")) return;
  event.preventDefault();
  send(sent, event.submitter);
});

/* ruling */
function armed(full = false) {
  if (!held()) return false;
  if (lost) { say("You do not hold this case any more. Nothing was recorded."); return false; }
  const least = full ? dwellOf() : Math.min(dwellOf(), QUICK), words = full && !veiled() ? unseen(held()) : "";
  if (now() - shownAt < least) {
    say(`${full && !paired() ? "Approve opens" : "Rulings open"} ${(least / 1000).toFixed(1)} s after the case is shown. Nothing was recorded.`);
    return false;
  }
  if (words) { say(`${words}: its risk is high. Nothing was recorded.`); return false; }
  return true;
}
const reasons = () => $(".reasons");
const reasonsOpen = () => Boolean(reasons() && !reasons().hasAttribute("data-off"));
function openReasons(open) {
  if (!reasons()) return;
  reasons().toggleAttribute("data-off", !open);
  $("[data-cmd=reject]")?.setAttribute("aria-expanded", String(open));
  const keys = ` with 1 to ${$$("[data-reason]").length}.${repeated() ? " R repeats the last one." : ""} Esc closes.`;
  say(open ? `Choose a reason${matchMedia("(pointer: coarse)").matches ? "." : keys}` : "");
}
/** The reason given last, if this agent knows it, too: its number may mean something else here. */
const repeated = () => lastReason && $$("button[name=ruling]", reasons()).find((button) => button.value === lastReason);
function rejectFor(button) {
  if (!button || !armed()) return;
  lastReason = button.value;
  $("#rule").requestSubmit(button);
}
/** In the field of an answer in the tool's place: to submit is to send it. */
const answerInstead = (field) => { const button = $("button", field?.closest("[data-respond]") || document.createElement("i")); button?.click(); return Boolean(button); };
function judge(button) {
  if (button && armed(true)) $("#rule").requestSubmit(button);
}
Object.assign(handlers, {
  approve() {
    const button = $("[data-cmd=approve]");
    if (!button) { if (paired()) say(`Say which is right with 1 to ${$$("[data-right]").length}.`); return; }
    if (armed(true)) $("#rule").requestSubmit(button);
  },
  reject() {
    if (paired()) return handlers.approve();
    if (!held() || !reasons()) return veiled() && say("Answer first. Then you can reject.");
    if (reasonsOpen() && repeated()) rejectFor(repeated()); else openReasons(!reasonsOpen());
  },
  reason(key) {
    if (paired()) { judge($(`.dock [data-right="${CSS.escape(key)}"]`)); return; }
    rejectFor(reasonsOpen() && $(`[data-reason="${CSS.escape(key)}"]`, reasons()));
  },
  escalate() { const button = $(".dock [data-cmd=escalate]"); if (button && armed()) $("#rule").requestSubmit(button); },
  skip() { if (held()) $("#release").requestSubmit(); },
  edit() { const first = rows().map(control).find(Boolean) || $(".case [data-draft]"); first?.closest("details")?.setAttribute("open", ""); first?.focus(); },
  submit() { if (held() && !answerInstead(document.activeElement)) handlers.approve(); },
  undo,
  restore() {
    if (reasonsOpen()) { openReasons(false); $("[data-region=case] h1").focus({ preventScroll: true }); return; }
    for (const row of changed()) { control(row).value = control(row).dataset.was; compare(control(row)); forgetError(control(row)); }
    label();
    saveDraft();
    document.activeElement?.blur();
  },
  evidence() {
    const tabs = $$(".case [role=tab]");
    tabs[(tabs.findIndex((tab) => tab.getAttribute("aria-selected") === "true") + 1) % tabs.length]?.click();
  },
  why() { const part = $("[data-why]"); if (part) part.open = !part.open; },
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-reason]"), right = event.target.closest("[data-right]");
  if (button) { event.preventDefault(); handlers.reason(button.dataset.reason); }
  if (right) { event.preventDefault(); judge(right); }
  if (event.target.closest(".reasons button[name=ruling]:not([data-reason]), [data-respond] button") && !armed()) event.preventDefault();
});

/* undo: the agent is told when its time is over, so until then nothing has happened outside */
async function undo() {
  if (desk.ariaBusy === "true") return;
  busy(true);
  try {
    await sending;
    const last = done.at(-1);
    if (!last || last.until < now()) { say("There is nothing to undo any more."); return; }
    const sentAt = now(), body = form({ shown: last.parts ? last.item : "" });
    if (last.parts) body.set("have", `${body.get("have")} ${last.item}`);
    const answer = await ask(`/review/${last.item}/undo`, body), text = await answer.text();
    if (!answer.ok) { const problem = isProblem(answer) ? JSON.parse(text) : {}; say(`${capital(problem.detail || "It could not be undone")}.`); if (answer.status === 409) forgetUndo(last); return; }
    forgetUndo(last);
    if (held() && itemShown() !== last.item) ahead.unshift({ item: itemShown(), parts: partsShown(), until: endsAt });
    if (last.parts) { put(last.parts); begin(true); }
    adopt(text, sentAt);
    untoast();
    say("Undone. The agent was not told.");
  } catch {
    offline(true);
  } finally {
    busy(false);
  }
}
function forgetUndo(one) { done = done.filter((other) => other !== one); paintUndo(); }
function paintUndo() {
  done = done.filter((one) => one.until > now());
  for (const button of $$("[data-region] [data-cmd=undo]")) button.disabled = !done.length;
}
$$("[data-desk]").forEach((told) => {   // what a page that was opened anew can undo
  if (Number(told.dataset.undoSeconds) > 0) done.push({ item: told.dataset.undoItem, parts: null, until: now() + Number(told.dataset.undoSeconds) * 1000 });
});

/** What was wrong was said of what stood there before. */
function forgetError(field) {
  if (field.getAttribute("aria-invalid") !== "true") return;
  for (const name of ["aria-invalid", "aria-describedby"]) field.removeAttribute(name);
  field.closest(".out-row, .field")?.querySelector(".error")?.remove();
  if (!$("[data-region=case] [aria-invalid]")) $("[data-region=case] .banner[role=alert]")?.remove();
}
/* editing: the difference stands under the field, the source of the value is marked */
document.addEventListener("input", (event) => {
  forgetError(event.target);
  if (event.target.closest(".out-row")) { compare(event.target); label(); }
  if (event.target.closest(".out-row, [data-draft], #note")) saveDraft();
});
document.addEventListener("focusin", (event) => {
  const source = event.target.closest?.(".out-row")?.dataset.src;
  for (const one of $$(".shown[data-active]")) one.removeAttribute("data-active");
  if (source) $(`.shown[data-src="${CSS.escape(source)}"]`)?.setAttribute("data-active", "");
});

/* the lease: renewed by signs of life, shown as time left, announced at a fifth */
for (const sign of ["keydown", "pointermove", "pointerdown", "wheel", "input"]) {
  document.addEventListener(sign, () => { activeAt = now(); }, { passive: true });
}
async function renew(force = false) {
  if (renewing || behind.length || !held() || (lost && !force)) return;
  renewing = true;
  const sentAt = now(), item = itemShown();
  try {   // what went back is taken again, unless somebody has it by now
    const answer = await ask(`/review/${item}/${lost ? "claim" : "renew"}`, form()), text = await answer.text();
    if (itemShown() !== item || behind.length) return;
    renewedAt = sentAt;
    offline(false);
    if (answer.ok) { lost = false; $("[data-lease-lost]").hidden = true; adopt(text, sentAt, { follow: false }); }
    else if (answer.status === 409) showLost(JSON.parse(text));
    else if (answer.status === 401) refused(401, JSON.parse(text));
  } catch {
    offline(true);
  } finally {
    renewing = false;
  }
}
function showLost(problem) {
  if (!lost) lostAt = now();
  lost = true;
  hideBanners();
  const free = !problem.type || problem.type === "/problems/not-held", other = problem.held_by && problem.held_by !== desk.dataset.viewer;
  const until = problem.held_until ? ` until ${new Date(problem.held_until).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })}` : "";
  $("[data-holder]").textContent = other ? `${problem.held_by} has it${until}.` : free ? "Nobody worked on it for a while, so it went back to the queue." : `${capital(problem.detail || "It went back to the queue")}.`;
  $("[data-take-again]").hidden = !free;
  $("[data-lease-lost]").hidden = false;
  paintLease();
}
function paintLease() {
  const ring = $("[data-lease]");
  if (!ring) return;
  ring.hidden = !held();
  if (!held()) return;
  const left = lost ? 0 : Math.max(0, Math.round((endsAt - now()) / 1000)), part = Math.min(1, left / whole);
  ring.dataset.tone = part > 0.2 ? "" : "warn";
  $("circle + circle", ring).setAttribute("stroke-dasharray", `${part * 50.3} 50.3`);
  $("[data-lease-left]").textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  $("[data-lease-warning]").hidden = part > 0.2 || lost || !$("[data-offline]").hidden;
}
setInterval(() => {
  paintUndo();
  if (!held()) return;
  paintLease();
  const at = now(), every = Math.max(2, Math.min(30, whole / 10)) * 1000, there = at - activeAt < every;
  const ending = endsAt - at < whole * 200;                                      // the last fifth
  if (!lost && document.visibilityState === "visible" && there && activeAt > renewedAt && (at - renewedAt > every || (ending && at - renewedAt > 2000))) renew();
  if (!lost && at > endsAt) showLost({});
  if (lost && !$("[data-take-again]").hidden && activeAt > lostAt && at - renewedAt > 5000) { renewedAt = at; renew(true); }   // perhaps nobody took it yet
}, 1000);
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-keep]")) renew();
  if (event.target.closest("[data-take-again]")) renew(true);
  if (event.target.closest("[data-try-again]")) { const again = unsent; unsent = null; if (again) again(); else renew(true); }
});
addEventListener("online", () => { if (!unsent) renew(true); });
addEventListener("offline", () => offline(true));

/* who leaves gives back the cases that would have followed, unseen; the one on the desk stays theirs for its lease */
function leave() {
  if (!ahead.length) return;
  ahead = [];
  navigator.sendBeacon("/review/leave", form({ have: "" }));
}
addEventListener("pagehide", leave);
addEventListener("beforeunload", (event) => { if (behind.length > 1) event.preventDefault(); });   // the first is on its way
document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") leave(); else renew(); });
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

/* live: how much waits; an empty desk looks again when something comes */
let looking = 0;
listen((told) => {
  const { agent, narrowed } = desk.dataset, part = narrowed !== undefined;
  const left = agent ? told.waiting[agent] || 0 : told.left, was = $("[data-left]");
  if (was && !part) was.textContent = many(Math.max(left, held() ? 1 : 0));   // some of what one holds is not counted
  if (held() || Boolean(left) === Boolean($("#next"))) return;
  looking ||= setTimeout(look, part ? 10_000 : 0);   // how much waits of a part of it is not told
});
async function look() {
  looking = 0;
  if (held() || desk.ariaBusy === "true" || behind.length) return;
  const answer = await fetch(location.href, { headers: BACKGROUND });
  if (answer.ok && !held()) adopt(await answer.text(), now());
}

begin(!$("[autofocus]"));
if (held()) renew();   // opening the page is a sign of life
