/** The output of a job of feature suggestions: cards that fill while the model writes. */

/** @import { JobDetail, Suggestion } from "../../../../../../docs/api/types" */
/** @import { Output } from "../../../core/app/applications.js" */
/** @import { Watch } from "../../../millrace.js" */

import { append, h, setText } from "../../../core/app/dom.js";
import { eachFrame } from "../../../core/app/frames.js";
import { copyButton, downloadButton, pretty } from "../../../core/parts/export_buttons.js";
import { growingText } from "../../../core/parts/live_text.js";
import { draftReader, suggestionCards, suggestionText } from "./suggestion_cards.js";

/**
 * @param {Watch} watch
 * @param {JobDetail} job
 * @returns {Output}
 */
export function suggestionOutput(watch, job) {
  const cards = suggestionCards();
  const raw = growingText("pre", { class: "raw" });
  const draftsIn = draftReader();
  const waiting = h("p", { class: "waiting" });
  const actions = h("p", { class: "actions" });
  const element = h("section", { "aria-labelledby": "output" },
    h("div", { class: "section-head" }, h("h2", { id: "output" }, "Suggestions"), actions),
    waiting, cards.element,
    h("details", { class: "more" }, h("summary", {}, "Model output"), raw.element));
  const result = () => /** @type {Suggestion[]} */ (watch.view.result?.["suggestions"] ?? []);
  append(actions, [
    copyButton("Copy all", () => result().map(suggestionText).join("\n\n"), "suggestions, as Markdown"),
    downloadButton("Download", `${job.jobId}.json`, "application/json", () => pretty(watch.view.result)),
  ]);
  const stop = eachFrame(watch, ({ view, live }) => {
    const complete = view.outcome === "complete";
    const drafts = complete ? result() : draftsIn(view);
    cards.show(drafts, live);
    cards.element.setAttribute("aria-busy", String(live));
    actions.hidden = !complete;
    raw.show(view);
    setText(waiting, drafts.length > 0 ? "" : live ? "Waiting for the first suggestion…" : "The model wrote no suggestion.");
    waiting.hidden = drafts.length > 0;
  });
  return { element, stop };
}
