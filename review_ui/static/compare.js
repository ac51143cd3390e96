/* What differs between what the agent said and what stands in a field now, as removed and added text. */

export const control = (row) => row.querySelector("input.input, textarea.input, select.input");

function difference(from, to) {
  let start = 0, end = 0;
  while (start < from.length && start < to.length && from[start] === to[start]) start += 1;
  while (end < from.length - start && end < to.length - start && from.at(-1 - end) === to.at(-1 - end)) end += 1;
  const cut = (text) => text.slice(start, text.length - end);
  const part = (tag, text) => (text ? [Object.assign(document.createElement(tag), { textContent: text })] : []);
  return [from.slice(0, start), ...part("del", cut(from)), ...part("ins", cut(to)), end ? from.slice(-end) : ""];
}

export function compare(field) {
  const row = field.closest(".out-row"), from = field.dataset.was, to = field.value, out = row.querySelector(".diff");
  row.toggleAttribute("data-changed", from !== to);
  out.hidden = from === to || field.tagName === "SELECT";
  const told = Object.assign(document.createElement("span"), { className: "vh", textContent: "Agent said, then you: " });
  out.replaceChildren(...(out.hidden ? [] : [told, ...difference(from, to)]));
}
