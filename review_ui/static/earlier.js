/* What a person had typed before the case changed: shown with the case as it is now, put into its fields when they say so. */
import { inWords } from "./compare.js";
import { keptBefore } from "./drafts.js";

const box = () => document.querySelector("[data-earlier]");
const fieldOf = (name) => document.querySelector(`[data-region] :is(input, textarea, select)[name="${CSS.escape(name)}"]`);
const takes = (field, value) => field && (field.tagName !== "SELECT" || [...field.options].some((one) => one.value === value));
const element = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });
let earlier = [];   // { name, value, field }, as far as something else stands there now

function lines({ name, value, field }) {
  const label = field?.closest(".out-row, .field").querySelector(".label").textContent;
  return [element("dt", label || name.replace(/^out:\//, "")), element("dd", (field ? inWords(field, value) : value) || "–")];
}
export function showEarlier(key) {
  if (!box()) return;
  const found = Object.entries(keptBefore(key)).map(([name, value]) => ({ name, value, field: fieldOf(name) }));
  earlier = found.filter(({ value, field }) => field?.value !== value);
  box().hidden = !earlier.length;
  box().querySelector("dl").replaceChildren(...earlier.flatMap(lines));
  box().querySelector("[data-put-back]").hidden = !earlier.some(({ value, field }) => takes(field, value));
}
document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-put-back]")) return;
  const put = earlier.filter(({ value, field }) => takes(field, value));
  for (const { value, field } of put) {
    field.value = value;
    field.closest("details")?.setAttribute("open", "");
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  box().hidden = true;
  put.find(({ field }) => field.checkVisibility())?.field.focus();
});
