/** The button that reads all events that the server still has. */

/** @import { JobFeed } from "./job_feed.js" */

import { h } from "../../app/preact.js";

/** @param {{ feed: JobFeed }} properties */
export function LoadAll({ feed }) {
  // A disabled button would lose the focus.
  return h("button", { type: "button", class: "button small", "aria-disabled": feed.isLoading ? "true" : null, onclick: () => void feed.loadAll() }, "Load all events");
}
