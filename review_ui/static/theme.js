/* Runs before the first paint: the chosen theme, and the mark that scripts run at all. */
"use strict";
{
  const root = document.documentElement;
  root.dataset.js = "";
  let name = "system";
  try { name = localStorage.getItem("theme") || "system"; } catch { /* private mode */ }
  if (name !== "system") root.dataset.theme = name;
}
