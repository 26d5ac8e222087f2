/** Ideas as cards: the finished ones, and the one that the model is writing. */

/** @import { Group, Idea, Ranked } from "../../../../../../docs/api/types" */
/** @import { JobView } from "../../../millrace/view.js" */

import { fill, h } from "../../../core/app/dom.js";
import { parsePartial } from "../../../millrace/partial_json.js";
import { copyButton } from "../../../core/parts/export_buttons.js";
import { liveList, liveText, showCursor } from "../../../core/parts/live_text.js";

/** @typedef {Partial<Idea & { reason: string }>} Draft an idea that may be unfinished; `reason` is that for its rank */
/** @typedef {{ ranking: readonly Ranked[] | null, groups: readonly Group[] | null }} Arrangement */

export function ideaCards() {
  const list = h("ol", { class: "cards" });
  const element = h("div", {}, list);
  const cards = liveList(list, ideaCard);
  return {
    element,
    /**
     * Show the ideas in the order in which the model wrote them, and the one that it is writing.
     * @param {readonly Idea[]} ideas
     * @param {Draft | null} draft
     */
    showLive(ideas, draft) {
      if (!element.contains(list)) fill(element, list);
      cards.show(draft === null ? ideas : [...ideas, draft]);
      showCursor(list, draft !== null);
    },
    /**
     * Show all ideas in their final arrangement.
     * @param {readonly Idea[]} ideas
     * @param {Arrangement} arrangement
     */
    showFinal(ideas, { ranking, groups }) {
      if (groups !== null) return fill(element, groups.map((group) => groupSection(group, ideas)));
      if (!element.contains(list)) fill(element, list);
      cards.show(ranked(ideas, ranking));
      showCursor(list, false);
    },
  };
}

/**
 * Return the finished ideas of a job.
 * @param {JobView} view
 * @returns {Idea[]}
 */
export function ideasOf({ items }) {
  return /** @type {Idea[]} */ (/** @type {unknown} */ (items.map(({ data }) => data)));
}

/**
 * Return the unfinished idea at the end of a job's text; null if there is none.
 * @param {string} text the JSON of one idea on each line
 * @returns {Draft | null}
 */
export function draftIn(text) {
  const last = text.slice(text.lastIndexOf("\n") + 1);
  const draft = parsePartial(last);
  return typeof draft === "object" && draft !== null && !Array.isArray(draft) ? draft : null;
}

/**
 * @param {Group} group
 * @param {readonly Idea[]} ideas
 */
function groupSection({ name, reason, numbers }, ideas) {
  const list = h("ol", { class: "cards" });
  liveList(list, ideaCard).show(ideas.filter((idea) => numbers.includes(idea.number)));
  return h("section", { class: "group" }, h("h3", {}, name), h("p", { class: "card-lead" }, reason), list);
}

/** @returns {{ element: HTMLElement, show: (idea: Draft & { reason?: string }, index: number) => void }} */
function ideaCard() {
  const genre = liveText("p", { class: "genre" });
  const title = liveText("h3", { "data-text": true });
  const logline = liveText("p", { class: "card-lead", "data-text": true });
  const description = liveText("p", { "data-text": true });
  const reason = liveText("p", { class: "reason" });
  /** @type {Draft} */
  let shown = {};
  const copy = copyButton("Copy", () => ideaText(shown), "this idea");
  const element = h("li", { class: "card" }, h("article", {}, genre.element, title.element, logline.element,
    description.element, reason.element, h("p", { class: "actions" }, copy)));
  return {
    element,
    show(idea, index) {
      shown = idea;
      // A ranked idea shows its rank, any other the number that the model gave it.
      title.element.dataset["number"] = String(idea.reason === undefined ? (idea.number ?? index + 1) : index + 1);
      genre.show(idea.genrePath?.join(" › "));
      title.show(idea.title);
      logline.show(idea.logline);
      description.show(idea.description);
      reason.show(idea.reason);
    },
  };
}

/**
 * Return the ideas in their order in the ranking, each with the reason for its rank; without a ranking, as they are.
 * @param {readonly Idea[]} ideas
 * @param {readonly Ranked[] | null} ranking
 * @returns {readonly Draft[]}
 */
function ranked(ideas, ranking) {
  if (ranking === null) return ideas;
  return ranking.flatMap(({ number, reason }) => {
    const idea = ideas.find((each) => each.number === number);
    return idea ? [{ ...idea, reason }] : [];
  });
}

/**
 * Return all ideas as Markdown, in the arrangement in which they are shown.
 * @param {readonly Idea[]} ideas
 * @param {Arrangement} arrangement
 */
export function ideasText(ideas, { ranking, groups }) {
  if (groups === null) return ranked(ideas, ranking).map((idea) => ideaText(idea)).join("\n\n");
  return groups.map(({ name, reason, numbers }) => {
    const own = ideas.filter(({ number }) => numbers.includes(number));
    return [`# ${name}`, reason, ...own.map((idea) => ideaText(idea))].filter(Boolean).join("\n\n");
  }).join("\n\n");
}

/**
 * Return the idea as Markdown.
 * @param {Draft} idea
 */
export function ideaText({ title = "", logline = "", description = "", genrePath = [], reason = "" }) {
  return [`## ${title}`, genrePath.join(" › "), logline && `*${logline}*`, description, reason].filter(Boolean).join("\n\n");
}
