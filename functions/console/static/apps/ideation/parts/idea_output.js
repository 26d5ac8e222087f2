/** The output of a brainstorming job: its ideas, and the idea that the model is writing. */

/** @import { Output } from "../../../core/app/applications.js" */
/** @import { Watch } from "../../../millrace.js" */

import { h } from "../../../core/app/dom.js";
import { eachFrame } from "../../../core/app/frames.js";
import { copyButton } from "../../../core/parts/export_buttons.js";
import { draftReader, ideaCards, ideasOf, ideaText } from "./idea_cards.js";

/**
 * @param {Watch} watch
 * @returns {Output}
 */
export function ideaOutput(watch) {
  const cards = ideaCards();
  const actions = h("p", { class: "actions" },
    copyButton("Copy all", () => ideasOf(watch.view).map(ideaText).join("\n\n"), "ideas, as Markdown"));
  const element = h("section", { "aria-labelledby": "output" },
    h("div", { class: "section-head" }, h("h2", { id: "output" }, "Ideas"), actions), cards.element);
  const draftIn = draftReader();
  const stop = eachFrame(watch, ({ view, live }) => {
    const ideas = ideasOf(view);
    cards.showLive(ideas, live ? draftIn(view) : null);
    actions.hidden = ideas.length === 0;
  });
  return { element, stop };
}
