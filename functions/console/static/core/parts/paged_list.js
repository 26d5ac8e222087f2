/** A list that is fetched page by page. */

import { append, fill, h } from "../app/dom.js";
import { errorCard } from "./problem_card.js";

/**
 * @template T
 * @typedef {object} ListOptions
 * @property {(cursor: string | null) => Promise<{ items: readonly T[], cursor: string | null }>} fetch
 * @property {(item: T) => HTMLElement} row
 * @property {HTMLElement} list what the rows are put into
 * @property {HTMLElement} [frame] what is shown around the list; the list itself by default
 * @property {() => HTMLElement} empty what is shown where there is nothing
 * @property {() => void} signIn
 */

/**
 * @template T
 * @param {ListOptions<T>} options
 */
export function pagesOf({ fetch, row, list, frame = list, empty, signIn }) {
  const more = h("button", { type: "button", class: "button" }, "Show more");
  const below = h("p", { class: "actions", hidden: true }, more);
  const problem = h("div", {});
  const element = h("div", { "aria-busy": "true" }, problem, frame, below);
  /** @type {string | null} */
  let cursor = null;
  let newest = 0;

  /** @param {{ anew: boolean }} how */
  const load = async ({ anew }) => {
    const mine = (newest += 1);
    element.setAttribute("aria-busy", "true");
    fill(problem, list.childElementCount === 0 && h("p", { class: "note" }, "Loading …"));
    try {
      const page = await fetch(anew ? null : cursor);
      if (mine !== newest) return; // another filter has been chosen meanwhile
      fill(problem);
      if (anew) list.replaceChildren();
      const rows = page.items.map(row);
      append(list, rows);
      cursor = page.cursor;
      below.hidden = cursor === null;
      frame.hidden = list.childElementCount === 0;
      if (frame.hidden) fill(problem, empty());
      if (!anew) rows[0]?.querySelector("a")?.focus();
    } catch (error) {
      if (mine === newest) fill(problem, errorCard(error, { signIn, again: () => load({ anew }) }));
    } finally {
      if (mine === newest) element.setAttribute("aria-busy", "false");
    }
  };
  more.addEventListener("click", () => load({ anew: false }));
  frame.hidden = true;
  return { element, reload: () => load({ anew: true }) };
}
