/** Before and after: two revisions beside each other, at the same time of the film. */

/** @import { Film } from "./film.js" */
/** @import { StageGroup } from "./stage_group.js" */

import { h, setText } from "../../../core/app/dom.js";
import { lengthOf } from "./film.js";
import { StageFrame } from "./stage_frame.js";

/**
 * @param {{ group: StageGroup, before: Film, after: Film, revision: number, frame: number, close: () => unknown }} options
 */
export function comparison({ group, before, after, revision, frame, close }) {
  const stages = [new StageFrame(group, `Before revision ${revision}`), new StageFrame(group, `After revision ${revision}`)];
  const last = Math.max(0, Math.max(lengthOf(before), lengthOf(after)) - 1);
  const time = h("span", { class: "time" });
  const slider = h("input", { type: "range", min: 0, max: last, step: 1, value: Math.min(frame, last), "aria-label": "Position in both videos", oninput: () => seek() });
  const seek = () => {
    for (const stage of stages) stage.seek(Number(slider.value));
    setText(time, `${(Number(slider.value) / after.format.fps).toFixed(1)} s`);
  };
  const figures = stages.map((stage, index) => h("figure", {}, stage.element, h("figcaption", {}, index === 0 ? "Before" : "After")));
  const element = h("section", { class: "panel comparison", "aria-labelledby": "comparison" },
    h("h2", { id: "comparison", tabindex: "-1" }, `Before and after revision ${revision}`),
    h("div", { class: "comparison-stages" }, figures),
    h("p", { class: "transport" }, slider, time, h("button", { type: "button", class: "button small", onclick: close }, "Close")));
  stages[0]?.show(before);
  stages[1]?.show(after);
  seek();
  return {
    element,
    stages,
    stop() {
      for (const stage of stages) stage.stop();
    },
  };
}
