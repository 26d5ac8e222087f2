/** Puts components into the console's pages: a component as a page, or as an element inside a page that has none. */

/** @import { Component } from "./preact.js" */
/** @import { Page } from "./router.js" */

import { h as element } from "./dom.js";
import { h, render } from "./preact.js";

/**
 * Return a page that shows the component until the user leaves it.
 * @template P
 * @param {string} title until the component calls `context.setTitle`
 * @param {Component<P>} component
 * @param {P} properties
 * @returns {Page}
 */
export function componentPage(title, component, properties) {
  const shown = mounted(component, properties);
  return { title, element: shown.element, leave: shown.stop };
}

/**
 * Draw the component in a new element. `show` draws it with other properties, `stop` ends its effects.
 * @template P
 * @param {Component<P>} component
 * @param {P} properties
 * @param {"div" | "span"} [tag] of the new element
 */
export function mounted(component, properties, tag = "div") {
  const container = element(tag);
  /** @param {P} next */
  const show = (next) => render(h(component, next), container);
  show(properties);
  return { element: container, show, stop: () => render(null, container) };
}
