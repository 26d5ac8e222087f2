/** A hook that follows a list. */

/** @import { ListSnapshot, ListWatch } from "../../millrace/list_watch.js" */

import { useLayoutEffect, useState } from "./preact.js";

/**
 * Return the newest snapshot of the list. The component is drawn again with each change.
 * @template T
 * @template F
 * @param {ListWatch<T, F>} list
 * @returns {ListSnapshot<T, F>}
 */
export function useList(list) {
  const [shown, setShown] = useState(() => list.snapshot);
  useLayoutEffect(() => {
    const unsubscribe = list.subscribe(setShown);
    return unsubscribe;
  }, [list]);
  return shown;
}
