/** A framed part of a page with a heading. */

/** @import { Child } from "../app/preact.js" */

import { h } from "../app/preact.js";

/** @param {{ id: string, heading: string, children?: Child }} properties `id` is that of the heading */
export function Panel({ id, heading, children }) {
  return h("section", { class: "panel", "aria-labelledby": id }, h("h2", { id }, heading), children);
}
