/** Ideas as cards: the finished ones, and the one that the model is writing. */

/** @import { Group, Idea, Ranked } from "../../../../../../docs/api/types" */
/** @import { JobView } from "../../../millrace/view.js" */

import { fill, h } from "../../../core/app/dom.js";
import { PartialJsonParser } from "../../../millrace/partial_json.js";
import { TextGrowth } from "../../../millrace/text_growth.js";
import { card, cardList } from "../../../core/parts/card_list.js";
import { copyButton } from "../../../core/parts/export_buttons.js";
import { liveText, showCursor } from "../../../core/parts/live_text.js";

/** @typedef {Partial<Idea & { reason: string }>} Draft an idea that may be unfinished; `reason` is that for its rank */
/** @typedef {{ ranking: readonly Ranked[] | null, groups: readonly Group[] | null }} Arrangement */

export function ideaCards() {
  const cards = cardList(ideaCard);
  const list = cards.element;
  const element = h("div", {}, list);
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
 * Return a function that returns the unfinished idea at the end of a job's text, which has the JSON of one idea on each line;
 * null if there is none. A text that has only grown is not read again from its start.
 * @returns {(view: { text: string }) => Draft | null}
 */
export function draftReader() {
  const growth = new TextGrowth();
  let line = new PartialJsonParser();
  return (view) => {
    const { added, begins } = growth.next(view);
    const lineBegin = added.lastIndexOf("\n") + 1;
    if (begins || lineBegin > 0) line = new PartialJsonParser();
    const draft = line.append(added.slice(lineBegin));
    return typeof draft === "object" && draft !== null && !Array.isArray(draft) ? draft : null;
  };
}

/**
 * @param {Group} group
 * @param {readonly Idea[]} ideas
 */
function groupSection({ name, reason, numbers }, ideas) {
  const cards = cardList(ideaCard);
  cards.show(ideas.filter((idea) => numbers.includes(idea.number)));
  return h("section", { class: "group" }, h("h3", {}, name), h("p", { class: "card-lead" }, reason), cards.element);
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
  const element = card(h("article", {}, genre.element, title.element, logline.element,
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
