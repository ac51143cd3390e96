/* Drafts: what a person typed, by person, case and what was shown of it, on this device only. They outlive a reload, a
   lost connection, a lost lease and a change of the case; signing out removes them, on any page, and so do three days. */

const PREFIX = "draft:", LONGEST = 3 * 86_400_000;

const quietly = (act) => { try { return act(); } catch { return undefined; } };   // full or forbidden: lasts as long as the page
const all = () => quietly(() => Object.keys(localStorage).filter((key) => key.startsWith(PREFIX))) || [];
const read = (key) => quietly(() => JSON.parse(localStorage.getItem(key))) || {};
const ofCase = (key) => { const head = key.split(":", 3).join(":"); return all().filter((one) => one.startsWith(`${head}:`)); };

export const keyOf = (viewer, part) => `${PREFIX}${viewer}:${encodeURIComponent(part.dataset.of)}:${part.dataset.item}:${part.dataset.fingerprint}`;
export function keep(key, values) {
  if (!Object.keys(values).length) return drop(key);
  return quietly(() => localStorage.setItem(key, JSON.stringify({ at: Date.now(), values })));
}
export const kept = (key) => read(key).values || {};
export const drop = (key) => quietly(() => localStorage.removeItem(key));
/** The newest of the same case as it was before: another attempt of it, or shown otherwise. */
export const keptBefore = (key) => ofCase(key).filter((one) => one !== key).map(read).sort((one, other) => one.at - other.at).at(-1)?.values || {};
/** What was ruled on is done with, however it was shown. */
export const dropCase = (key) => { for (const one of ofCase(key)) drop(one); };

for (const key of all()) if (Date.now() - (read(key).at || 0) > LONGEST) drop(key);
document.addEventListener("submit", (event) => {
  if (event.target.getAttribute("action") === "/sign-out") for (const key of all()) drop(key);
});
