/** A component that shows an element which draws itself: an application's output, a grid, a stage, a player. */

/** @import { Attributes } from "../app/preact.js" */

import { h, useLayoutEffect, useRef } from "../app/preact.js";

/**
 * Create the element once, and keep it until the component goes; `make` is called again only if the inputs change.
 * Preact never touches what is inside.
 * @param {{ make: () => { element: Element, stop?: () => void }, inputs?: readonly unknown[] } & Attributes} properties
 *   further ones are attributes of the element around it
 */
export function Hosted({ make, inputs = [], ...attributes }) {
  const container = useRef(/** @type {HTMLElement | null} */ (null));
  useLayoutEffect(() => {
    const made = make();
    container.current?.replaceChildren(made.element);
    return () => made.stop?.();
  }, inputs);
  return h("div", { ...attributes, ref: container });
}
