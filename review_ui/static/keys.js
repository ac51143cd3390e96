/* One table of keys: the handlers, the badges on buttons, aria-keyshortcuts, the cheat sheet and the palette come from it.
   A badge is painted only where a handler listens, so no key is promised that does nothing. */

export const KEYS = [
  { group: "Decide", cmd: "approve", keys: ["a"], words: "Approve" },
  { group: "Decide", cmd: "reject", keys: ["r"], words: "Reject, then a reason" },
  { group: "Decide", cmd: "escalate", keys: ["x"], words: "Escalate" },
  { group: "Decide", cmd: "skip", keys: ["s"], words: "Give back" },
  { group: "Decide", cmd: "undo", keys: ["u", "z"], words: "Undo the last ruling" },
  { group: "Reject", cmd: "reason", keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"], badge: "1–9", words: "Choose a reason", keysOnly: true },
  { group: "Who was right", cmd: "reason", keys: ["1", "2", "3", "4"], badge: "1–4", words: "Say which output is right", sheetOnly: true },
  { group: "Reject", cmd: "reject", keys: ["r"], badge: "R R", words: "Repeat the last reason", sheetOnly: true },
  { group: "Edit", cmd: "edit", keys: ["e"], words: "Edit the first field" },
  { group: "Edit", cmd: "submit", keys: ["ctrl+enter"], badge: "Ctrl ⏎", words: "Approve with edits", typing: true, keysOnly: true },
  { group: "Edit", cmd: "restore", keys: ["escape"], badge: "Esc", words: "Restore, or close", typing: true, keysOnly: true },
  { group: "Look", cmd: "evidence", keys: ["v"], words: "Next piece of evidence" },
  { group: "Look", cmd: "why", keys: [" "], badge: "Space", words: "Show confidence and signals" },
  { group: "Look", cmd: "blur", keys: ["b"], words: "Show or blur sensitive pictures", keysOnly: true },
  { group: "Queue", cmd: "down", keys: ["j"], words: "Next case in the list", keysOnly: true },
  { group: "Queue", cmd: "up", keys: ["k"], words: "Case before in the list", keysOnly: true },
  { group: "Queue", cmd: "pick", keys: ["x"], words: "Choose a case, to approve several together", keysOnly: true },
  { group: "Queue", cmd: "pickDown", keys: ["shift+j"], badge: "Shift J", words: "Choose on to the next case", keysOnly: true },
  { group: "Queue", cmd: "pickUp", keys: ["shift+k"], badge: "Shift K", words: "Choose on to the case before", keysOnly: true },
  { group: "Queue", cmd: "view", keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"], badge: "1–9", words: "Open a saved view", keysOnly: true },
  { group: "Queue", cmd: "search", keys: ["/"], words: "Find a case", keysOnly: true },
  { group: "Anywhere", cmd: "palette", keys: ["ctrl+k"], badge: "Ctrl K", words: "Find a page, case or command", typing: true, keysOnly: true },
  { group: "Anywhere", cmd: "desk", keys: ["g r"], words: "Go to Review", keysOnly: true },
  { group: "Anywhere", cmd: "queue", keys: ["g q"], words: "Go to the queue", keysOnly: true },
  { group: "Anywhere", cmd: "agents", keys: ["g a"], words: "Go to the agents", keysOnly: true },
  { group: "Anywhere", cmd: "keys", keys: ["?"], words: "Show all keys" },
];

/** cmd -> function(key). A page adds its own. */
export const handlers = {};

export const badgeOf = (entry) => entry.badge || entry.keys[0].toUpperCase();
export const live = () => KEYS.filter((entry) => handlers[entry.cmd]);
const element = (tag, text = "") => Object.assign(document.createElement(tag), { textContent: text });
export const badges = (entry) => badgeOf(entry).split(" ").map((text) => element("kbd", text));

export function paintKeys(root = document) {
  for (const target of root.querySelectorAll("[data-cmd]")) {
    const entry = KEYS.find((one) => one.cmd === target.dataset.cmd && !one.sheetOnly);
    if (!entry || !handlers[entry.cmd] || target.querySelector("kbd")) continue;
    for (const badge of badges(entry)) {
      badge.setAttribute("aria-hidden", "true");
      target.append(badge);
    }
    target.setAttribute("aria-keyshortcuts", entry.keys.map((key) => key.replace(" ", "Space").replace("ctrl+", "Control+")).join(" "));
  }
  for (const sheet of root.querySelectorAll("[data-keys]")) paintSheet(sheet);
}

function paintSheet(sheet) {
  sheet.replaceChildren(...[...new Set(live().map((entry) => entry.group))].map((group) => {
    const part = element("div"), list = element("dl");
    for (const entry of live().filter((one) => one.group === group)) {
      const row = element("div"), keys = element("dd");
      keys.append(...badges(entry));
      row.append(element("dt", entry.words), keys);
      list.append(row);
    }
    part.append(element("h3", group), list);
    return part;
  }));
}

let first = "", forget;   // the first of two keys, as in G Q; forgotten after a second
function named(event, modifier) {
  const shift = event.shiftKey && /^[a-z0-9]$/i.test(event.key);   // of other keys it is a part: Shift / is ?
  const key = (modifier ? "ctrl+" : "") + (shift ? "shift+" : "") + event.key.toLowerCase(), name = first && !modifier ? `${first} ${key}` : key;
  const second = first !== "";
  first = "";
  clearTimeout(forget);
  if (!second && live().some((entry) => entry.keys.some((one) => one.startsWith(`${key} `)))) {
    first = key;
    forget = setTimeout(() => { first = ""; }, 1000);
  }
  return name;
}

document.addEventListener("keydown", (event) => {
  if (event.repeat || event.isComposing || event.altKey || !event.key) return;   // a held key must never decide
  if (document.querySelector("dialog[open]") || document.body.ariaBusy === "true") return;
  const modifier = event.ctrlKey || event.metaKey, typing = event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
  const name = typing && !modifier ? event.key.toLowerCase() : named(event, modifier);
  const entry = KEYS.find((one) => one.keys.includes(name) && !one.sheetOnly && handlers[one.cmd]);
  if (!entry) return;
  if (typing && !entry.typing) return;
  if (event.target.closest("button, a, summary, [type=checkbox]") && (event.key === " " || event.key === "Enter") && !modifier) return;
  event.preventDefault();
  handlers[entry.cmd](event.key);
});
