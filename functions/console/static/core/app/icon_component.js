/** An icon of `icons.js` as a component. Apart from it, because the header of a first visit shows icons without Preact. */

/** @import { IconName } from "./icons.js" */

import { attributesOf, pathOf } from "./icons.js";
import { h } from "./preact.js";

/** @param {{ name: IconName }} properties */
export function Icon({ name }) {
  return h("svg", attributesOf(name), h("path", { d: pathOf(name) }));
}
