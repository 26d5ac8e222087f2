/** The choice of a video's format. Another format is a message, because all scenes are played in it first. */

/** @import { Format } from "./film.js" */
/** @import { Sent } from "./talk.js" */

import { fill, h } from "../../../core/app/dom.js";

/** @type {Record<string, { label: string, format: Format }>} */
const FORMATS = {
  landscape: { label: "Landscape 16:9", format: { width: 1280, height: 720, fps: 30 } },
  portrait: { label: "Portrait 9:16", format: { width: 720, height: 1280, fps: 30 } },
  square: { label: "Square 1:1", format: { width: 1080, height: 1080, fps: 30 } },
};

/** @param {(name: string) => unknown} choose */
export function formatChoice(choose) {
  /** @type {HTMLSelectElement} */
  const select = h("select", {
    ...{ class: "format-choice", "aria-label": "Format" },
    onchange: () => {
      shown = ""; // the project has its format until the message is answered
      choose(select.value);
    },
  });
  let shown = "";
  return {
    element: select,
    /**
     * @param {Format} format of the project
     * @param {boolean} busy whether a job runs
     */
    show(format, busy) {
      const key = JSON.stringify([format, busy]);
      if (key === shown) return;
      shown = key;
      const named = Object.entries(FORMATS).find(([, each]) => isSame(each.format, format))?.[0] ?? "";
      const names = Object.entries(FORMATS).map(([name, { label }]) => h("option", { value: name }, label));
      const own = named === "" && h("option", { value: "" }, `${format.width} × ${format.height}, ${format.fps} fps`);
      fill(select, own, names);
      select.value = named;
      select.disabled = busy;
    },
  };
}

/**
 * Return the message that changes the format.
 * @param {string} name
 * @returns {Sent}
 */
export function formatMessage(name) {
  const chosen = FORMATS[name];
  const ops = [{ op: "replace", path: "/format", value: chosen?.format }];
  return { text: `Change the format to ${chosen?.label ?? name}`, imageIds: [], tool: { name: "applyPatch", arguments: { ops } } };
}

/**
 * @param {Format} one
 * @param {Format} other
 */
function isSame(one, other) {
  return one.width === other.width && one.height === other.height && one.fps === other.fps;
}
