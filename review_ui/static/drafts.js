/* Drafts: what a person typed, by person, case and fingerprint, on this device only. They outlive a reload, a lost
   connection and a lost lease; signing out removes them, and so do three days. */

const PREFIX = "draft:", LONGEST = 3 * 86_400_000;

const quietly = (act) => { try { return act(); } catch { return undefined; } };   // full or forbidden: lasts as long as the page
const all = () => quietly(() => Object.keys(localStorage).filter((key) => key.startsWith(PREFIX))) || [];

export const keyOf = (viewer, part) => `${PREFIX}${viewer}:${part.dataset.item}:${part.dataset.fingerprint}`;
export function keep(key, values) {
  if (!Object.keys(values).length) return drop(key);
  return quietly(() => localStorage.setItem(key, JSON.stringify({ at: Date.now(), values })));
}
export const kept = (key) => quietly(() => JSON.parse(localStorage.getItem(key) || "{}").values) || {};
export const drop = (key) => quietly(() => localStorage.removeItem(key));

for (const key of all()) {
  const at = quietly(() => JSON.parse(localStorage.getItem(key)).at) || 0;
  if (Date.now() - at > LONGEST) drop(key);
}
document.addEventListener("submit", (event) => {
  if (event.target.getAttribute("action") === "/sign-out") for (const key of all()) drop(key);
});
