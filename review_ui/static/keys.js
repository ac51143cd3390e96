/* One table of keys: the handlers, the badges on buttons, aria-keyshortcuts and the cheat sheet come from it.
   A badge is painted only where a handler listens, so no key is promised that does nothing. */

export const KEYS = [
  { group: "Decide", cmd: "approve", keys: ["a"], words: "Approve" },
  { group: "Decide", cmd: "reject", keys: ["r"], words: "Reject, then a reason" },
  { group: "Decide", cmd: "escalate", keys: ["x"], words: "Escalate" },
  { group: "Decide", cmd: "skip", keys: ["s"], words: "Give back" },
  { group: "Reject", cmd: "reason", keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"], badge: "1–9", words: "Choose a reason" },
  { group: "Reject", cmd: "reject", keys: ["r"], badge: "R R", words: "Repeat the last reason", sheetOnly: true },
  { group: "Edit", cmd: "edit", keys: ["e"], words: "Edit the first field" },
  { group: "Edit", cmd: "submit", keys: ["ctrl+enter"], badge: "Ctrl ⏎", words: "Approve with edits", typing: true },
  { group: "Edit", cmd: "restore", keys: ["escape"], badge: "Esc", words: "Restore, or close", typing: true },
  { group: "Look", cmd: "evidence", keys: ["v"], words: "Next piece of evidence" },
  { group: "Look", cmd: "why", keys: [" "], badge: "Space", words: "Show confidence and signals" },
  { group: "Anywhere", cmd: "keys", keys: ["?"], words: "Show all keys" },
];

/** cmd -> function(key). A page adds its own. */
export const handlers = {};

const badgeOf = (entry) => entry.badge || entry.keys[0].toUpperCase();
const element = (tag, text = "") => Object.assign(document.createElement(tag), { textContent: text });

export function paintKeys(root = document) {
  for (const target of root.querySelectorAll("[data-cmd]")) {
    const entry = KEYS.find((one) => one.cmd === target.dataset.cmd && !one.sheetOnly);
    if (!entry || !handlers[entry.cmd] || target.querySelector("kbd")) continue;
    const badge = element("kbd", badgeOf(entry));
    badge.setAttribute("aria-hidden", "true");
    target.append(badge);
    target.setAttribute("aria-keyshortcuts", entry.keys.map((key) => key.replace(" ", "Space").replace("ctrl+", "Control+")).join(" "));
  }
  for (const sheet of root.querySelectorAll("[data-keys]")) paintSheet(sheet);
}

function paintSheet(sheet) {
  const live = KEYS.filter((entry) => handlers[entry.cmd]);
  sheet.replaceChildren(...[...new Set(live.map((entry) => entry.group))].map((group) => {
    const part = element("div"), list = element("dl");
    for (const entry of live.filter((one) => one.group === group)) {
      const row = element("div"), keys = element("dd");
      keys.append(...badgeOf(entry).split(" ").map((text) => element("kbd", text)));
      row.append(element("dt", entry.words), keys);
      list.append(row);
    }
    part.append(element("h3", group), list);
    return part;
  }));
}

document.addEventListener("keydown", (event) => {
  if (event.repeat || event.isComposing || event.altKey || !event.key) return;   // a held key must never decide
  const modifier = event.ctrlKey || event.metaKey;
  const name = (modifier ? "ctrl+" : "") + event.key.toLowerCase();
  const entry = KEYS.find((one) => one.keys.includes(name) && !one.sheetOnly);
  if (!entry || !handlers[entry.cmd]) return;
  if (event.target.closest("input, textarea, select, [contenteditable]") && !entry.typing) return;
  if (event.target.closest("button, a, summary") && (event.key === " " || event.key === "Enter") && !modifier) return;
  if (document.querySelector("dialog[open]") || document.body.ariaBusy === "true") return;
  event.preventDefault();
  handlers[entry.cmd](event.key);
});
