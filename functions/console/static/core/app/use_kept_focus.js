/** A hook that keeps the keyboard's focus in a part of the page whose focused control has gone. */

/** @import { Ref } from "./preact.js" */

import { useLayoutEffect } from "./preact.js";

/**
 * Focus `fallback` if this drawing has removed the element in `within` that had the focus.
 * @param {Ref<HTMLElement | null>} within
 * @param {Ref<HTMLElement | null>} fallback an element with a tabindex
 */
export function useKeptFocus(within, fallback) {
  const before = document.activeElement;
  const hadFocus = before !== null && (within.current?.contains(before) ?? false);
  useLayoutEffect(() => {
    if (hadFocus && !before.isConnected) fallback.current?.focus({ preventScroll: true });
  });
}
