/** The colours of the console: light, dark, or as the system has them. The browser keeps the choice. */

const KEY = "millrace.theme";

/** @typedef {"system" | "light" | "dark"} Theme */

/** @type {readonly (readonly [Theme, string])[]} each theme and its label */
export const THEMES = [["system", "System colors"], ["light", "Light colors"], ["dark", "Dark colors"]];

/** Return the theme that the user has chosen in this browser. @returns {Theme} */
export function chosenTheme() {
  const kept = storage()?.getItem(KEY) ?? null;
  return THEMES.find(([theme]) => theme === kept)?.[0] ?? "system";
}

/** Keep the theme, and show it. @param {Theme} theme */
export function chooseTheme(theme) {
  if (theme === "system") storage()?.removeItem(KEY);
  else storage()?.setItem(KEY, theme);
  showTheme(theme);
}

/** Show the theme: the style sheets use the colours that `color-scheme` chooses. @param {Theme} [theme] */
export function showTheme(theme = chosenTheme()) {
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}

/** @returns {Storage | null} null if the user has disabled it */
function storage() {
  try {
    return globalThis.localStorage ?? null;
  } catch {
    return null;
  }
}
