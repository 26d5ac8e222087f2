/** Feature suggestions as cards that fill while the model writes. */

/** @import { Suggestion } from "../../../../../../docs/api/types" */

import { h } from "../../../core/app/dom.js";
import { PartialJsonParser } from "../../../millrace/partial_json.js";
import { TextGrowth } from "../../../millrace/text_growth.js";
import { card, cardList } from "../../../core/parts/card_list.js";
import { copyButton } from "../../../core/parts/export_buttons.js";
import { liveList, liveText, showCursor } from "../../../core/parts/live_text.js";

/** @typedef {Partial<Suggestion>} Draft a suggestion that may be unfinished */

export function suggestionCards() {
  const cards = cardList(suggestionCard);
  return {
    element: cards.element,
    /**
     * @param {readonly Draft[]} suggestions
     * @param {boolean} writing whether the model may still add to the last one
     */
    show(suggestions, writing) {
      cards.show(suggestions);
      showCursor(cards.element, writing);
    },
  };
}

/**
 * Return a function that returns the suggestions in an unfinished output. An output that has only grown is not parsed again
 * from its start, and a suggestion that has not changed is the same object.
 * @returns {(view: { text: string }) => Draft[]}
 */
export function draftReader() {
  const growth = new TextGrowth();
  let parser = new PartialJsonParser();
  return (view) => {
    const { added, begins } = growth.next(view);
    if (begins) parser = new PartialJsonParser();
    const output = /** @type {{ suggestions?: unknown } | null | undefined} */ (parser.append(added));
    const list = typeof output === "object" ? output?.suggestions : null;
    return Array.isArray(list) ? list.filter((each) => typeof each === "object" && each !== null) : [];
  };
}

/** @returns {{ element: HTMLElement, show: (draft: Draft, index: number) => void }} */
function suggestionCard() {
  const title = liveText("h3", { "data-text": true });
  const rationale = labelled("Rationale", liveText("p", { class: "card-lead", "data-text": true }));
  const description = labelled("Description", liveText("p", { "data-text": true }));
  const points = h("ul", { class: "points" });
  const considerations = h("div", { class: "considerations", hidden: true }, h("h4", {}, "Considerations"), points);
  const pointItems = liveList(points, () => liveText("li", { "data-text": true }));
  /** @type {Draft} */
  let shown = {};
  const copy = copyButton("Copy", () => suggestionText(shown), "this suggestion");
  const element = card(h("article", {}, title.element, rationale.element, description.element,
    considerations, h("p", { class: "actions" }, copy)));
  return {
    element,
    show(draft, index) {
      shown = draft;
      title.element.dataset["number"] = String(index + 1);
      title.show(draft.title);
      rationale.show(draft.rationale);
      description.show(draft.description);
      const list = Array.isArray(draft.implementationConsiderations) ? draft.implementationConsiderations : [];
      pointItems.show(list);
      considerations.hidden = list.length === 0;
    },
  };
}

/**
 * A text below its label; both are hidden until there is text.
 * @param {string} label
 * @param {ReturnType<typeof liveText>} text
 */
function labelled(label, text) {
  const element = h("div", { hidden: true }, h("h4", {}, label), text.element);
  return {
    element,
    /** @param {unknown} value */
    show(value) {
      text.show(value);
      element.hidden = text.element.hidden;
    },
  };
}

/**
 * Return the suggestion as Markdown.
 * @param {Draft} suggestion
 */
export function suggestionText({ title = "", rationale = "", description = "", implementationConsiderations = [] }) {
  const points = implementationConsiderations.map((point) => `- ${point}`).join("\n");
  return [`## ${title}`, `*${rationale}*`, description, points].filter(Boolean).join("\n\n");
}
