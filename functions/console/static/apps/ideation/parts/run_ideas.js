/** The ideas of a run with their count by genre: live while the run has a job to watch, final otherwise. */

/** @import { Idea, RunDetail } from "../../../../../../docs/api/types" */
/** @import { Watch } from "../../../millrace.js" */
/** @import { Context } from "../../../core/app/context.js" */

import { h, setText } from "../../../core/app/dom.js";
import { eachFrame } from "../../../core/app/frames.js";
import { copyButton, downloadButton, pretty } from "../../../core/parts/export_buttons.js";
import { genreShares } from "./genre_shares.js";
import { draftReader, ideaCards, ideasOf, ideasText } from "./idea_cards.js";

/**
 * `element` shows the ideas, `side` how many each genre has; `stop` ends the updates.
 * @param {Context} context
 * @param {RunDetail} run
 * @param {Watch | null} watch null if the run has no job
 * @param {() => Promise<void>} reload called when the watched job is complete
 */
export function runIdeas({ announce }, run, watch, reload) {
  const cards = ideaCards();
  const shares = genreShares();
  const waiting = h("p", { class: "waiting" });
  const actions = exportButtons(run, () => (watch === null ? run.ideas : ideasOf(watch.view)));
  const element = h("section", { "aria-labelledby": "ideas" },
    h("div", { class: "section-head" }, h("h2", { id: "ideas" }, "Ideas"), actions), waiting, cards.element);
  /** @param {readonly Idea[]} ideas */
  const count = (ideas) => {
    shares.show(run.genres.map((share) => ({ ...share, found: ideas.filter((idea) => sameGenre(idea, share)).length })));
    actions.hidden = ideas.length === 0;
  };
  /** @param {string} text shown instead of the ideas; empty if there are ideas */
  const showWaiting = (text) => {
    setText(waiting, text);
    waiting.hidden = text === "";
  };
  if (watch === null) {
    cards.showFinal(run.ideas, run);
    count(run.ideas);
    showWaiting(run.ideas.length > 0 ? "" : "The model finished no idea.");
    return { element, side: shares.element, stop: () => {} };
  }
  let counted = -1;
  const draftIn = draftReader();
  const stop = eachFrame(watch, ({ view, live, state }) => {
    const ideas = ideasOf(view);
    const draft = live ? draftIn(view) : null;
    cards.showLive(ideas, draft);
    cards.element.setAttribute("aria-busy", String(live));
    if (ideas.length !== counted) count(ideas);
    counted = ideas.length;
    const nothing = ideas.length === 0 && draft === null;
    showWaiting(nothing ? (live ? "Waiting for the first idea…" : "The model finished no idea.") : "");
    if (state !== "complete") return;
    announce("The run is complete.");
    void reload(); // draws the run from its artefacts, as every later visit does
  });
  return { element, side: shares.element, stop };
}

/**
 * @param {RunDetail} run
 * @param {() => readonly Idea[]} ideas
 */
function exportButtons({ runId, title, parameters, ranking, groups }, ideas) {
  const content = () => pretty({ title, parameters, ideas: ideas(), ranking, groups });
  return h("p", { class: "actions" },
    copyButton("Copy all", () => ideasText(ideas(), { ranking, groups }), "ideas, as Markdown"),
    downloadButton("Download", `${runId}.json`, "application/json", content));
}

/**
 * @param {{ genrePath: readonly string[] }} idea
 * @param {{ genrePath: readonly string[] }} share
 */
function sameGenre(idea, share) {
  return idea.genrePath.join(" > ") === share.genrePath.join(" > ");
}
