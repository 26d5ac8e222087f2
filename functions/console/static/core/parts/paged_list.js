/** A list that is fetched page by page. */

import { append, fill, h } from "../app/dom.js";
import { errorCard } from "./problem_card.js";

/**
 * @template T
 * @typedef {object} ListOptions
 * @property {(cursor: string | null) => Promise<{ items: readonly T[], cursor: string | null }>} fetch
 * @property {(item: T) => HTMLElement} row
 * @property {HTMLElement} list the parent of the rows
 * @property {HTMLElement} [frame] the element that contains the list, by default the list itself
 * @property {() => HTMLElement} empty shown if there are no items
 * @property {() => void} signIn
 */

/**
 * @template T
 * @param {ListOptions<T>} options
 */
export function pagedList({ fetch, row, list, frame = list, empty, signIn }) {
  const more = h("button", { type: "button", class: "button" }, "Show more");
  const below = h("p", { class: "actions", hidden: true }, more);
  const problem = h("div", {});
  const element = h("div", { "aria-busy": "true" }, problem, frame, below);
  /** @type {string | null} */
  let cursor = null;
  let latest = 0;

  /** @param {{ first: boolean }} page whether to replace the list by its first page, or to append the next one */
  const load = async ({ first }) => {
    const mine = (latest += 1);
    element.setAttribute("aria-busy", "true");
    fill(problem, list.childElementCount === 0 && h("p", { class: "note" }, "Loading …"));
    try {
      const page = await fetch(first ? null : cursor);
      if (mine !== latest) return; // the user has chosen another filter since
      fill(problem);
      if (first) list.replaceChildren();
      const rows = page.items.map(row);
      append(list, rows);
      cursor = page.cursor;
      below.hidden = cursor === null;
      frame.hidden = list.childElementCount === 0;
      // A filter that matches few items can leave a page empty although others follow.
      if (frame.hidden) fill(problem, cursor === null ? empty() : h("p", { class: "empty" }, "Nothing found among the newest so far."));
      if (!first) rows[0]?.querySelector("a")?.focus();
    } catch (error) {
      if (mine === latest) fill(problem, errorCard(error, { signIn, again: () => load({ first }) }));
    } finally {
      if (mine === latest) element.setAttribute("aria-busy", "false");
    }
  };
  more.addEventListener("click", () => load({ first: false }));
  frame.hidden = true;
  return { element, reload: () => load({ first: true }) };
}
