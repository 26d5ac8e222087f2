/** Ideas as cards: finished ones for good, and the one that is being written as far as it goes. */

/** @import { Group, Idea, Ranked } from "../../../../../../docs/api/types" */

import { fill, h } from "../../../core/app/dom.js";
import { parsePartial } from "../../../core/app/partial_json.js";
import { copyButton } from "../../../core/parts/export_buttons.js";
import { keyed, putCursor, slot } from "../../../core/parts/live_text.js";

/** @typedef {Partial<Idea>} Draft */
/** @typedef {{ ranking: readonly Ranked[] | null, groups: readonly Group[] | null }} Arranged */

export function ideaCards() {
  const live = h("ol", { class: "cards" });
  const element = h("div", { class: "ideas" }, live);
  const cards = keyed(live, ideaCard);
  return {
    element,
    /**
     * Ideas in the order in which they came, and the one that is being written.
     * @param {readonly Idea[]} ideas
     * @param {Draft | null} draft
     */
    grow(ideas, draft) {
      if (!element.contains(live)) fill(element, live);
      cards.show(draft === null ? ideas : [...ideas, draft]);
      putCursor(live, draft !== null);
    },
    /**
     * All ideas as they were arranged.
     * @param {readonly Idea[]} ideas
     * @param {Arranged} arranged
     */
    arrange(ideas, { ranking, groups }) {
      if (groups !== null) return fill(element, groups.map((group) => groupSection(group, ideas)));
      const ranked = ranking?.flatMap(({ number, reason }) => {
        const idea = ideas.find((each) => each.number === number);
        return idea ? [{ ...idea, reason }] : [];
      });
      if (!element.contains(live)) fill(element, live);
      live.toggleAttribute("data-ranked", ranking !== null);
      cards.show(ranked ?? ideas);
      putCursor(live, false);
    },
  };
}

/**
 * The idea that a run's text ends in, while it is not finished.
 * @param {string} text one idea's JSON to a line
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
  keyed(list, ideaCard).show(ideas.filter((idea) => numbers.includes(idea.number)));
  return h("section", { class: "group" }, h("h3", {}, name), h("p", { class: "why" }, reason), list);
}

/** @returns {{ element: HTMLElement, show: (idea: Draft & { reason?: string }, index: number) => void }} */
function ideaCard() {
  const genre = slot("p", { class: "genre" });
  const title = slot("h3", { "data-text": true });
  const logline = slot("p", { class: "why", "data-text": true });
  const description = slot("p", { "data-text": true });
  const reason = slot("p", { class: "reason" });
  /** @type {Draft} */
  let shown = {};
  const copy = copyButton("Copy", () => ideaText(shown), "this idea");
  const element = h("li", { class: "card" }, h("article", {}, genre.element, title.element, logline.element,
    description.element, reason.element, h("p", { class: "actions" }, copy)));
  return {
    element,
    show(idea, index) {
      shown = idea;
      // A rank where there is one, and else the idea's own number, by which it is spoken of.
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
 * As Markdown.
 * @param {Draft} idea
 */
export function ideaText({ title = "", logline = "", description = "", genrePath = [] }) {
  return [`## ${title}`, genrePath.join(" › "), `*${logline}*`, description].filter(Boolean).join("\n\n");
}
