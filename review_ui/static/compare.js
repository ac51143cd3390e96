/* What differs between what the agent said and what stands in a field now, as removed and added text. */

export const control = (row) => row.querySelector("input.input, textarea.input, select.input");

const part = (tag, text) => (text ? [Object.assign(document.createElement(tag), { textContent: text })] : []);

function difference(from, to) {
  let start = 0, end = 0;
  while (start < from.length && start < to.length && from[start] === to[start]) start += 1;
  while (end < from.length - start && end < to.length - start && from.at(-1 - end) === to.at(-1 - end)) end += 1;
  const cut = (text) => text.slice(start, text.length - end);
  return [from.slice(0, start), ...part("del", cut(from)), ...part("ins", cut(to)), end ? from.slice(-end) : ""];
}

/** A value as the field shows it: of a choice its words, and one choice is another as a whole. */
export const inWords = (field, value) => (field.tagName === "SELECT" ? [...field.options].find((one) => one.value === value)?.text || value : value);
const choice = (from, to) => [...part("del", from), " ", ...part("ins", to)];

export function compare(field) {
  const row = field.closest(".out-row"), from = field.dataset.was, to = field.value, out = row.querySelector(".diff");
  row.toggleAttribute("data-changed", from !== to);
  out.hidden = from === to;
  const told = Object.assign(document.createElement("span"), { className: "vh", textContent: "Agent said, then you: " });
  const shown = field.tagName === "SELECT" ? choice(inWords(field, from), inWords(field, to)) : difference(from, to);
  out.replaceChildren(...(out.hidden ? [] : [told, ...shown]));
}
