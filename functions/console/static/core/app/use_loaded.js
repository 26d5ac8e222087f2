/** A hook that loads what a page shows. */

import { useCallback, useEffect, useState } from "./preact.js";

/**
 * @template T
 * @typedef {object} Loaded
 * @property {T | null} value null while it is loading, and after an error
 * @property {unknown} error what `load` has thrown; null if it has not
 * @property {() => void} again loads once more; the value or the error is shown until the answer
 */

/**
 * Call `load` when the component appears and whenever the inputs change. An answer that arrives later than that of a
 * newer call, or after the component has gone, is dropped.
 * @template T
 * @param {() => Promise<T>} load
 * @param {readonly unknown[]} inputs
 * @returns {Loaded<T>}
 */
export function useLoaded(load, inputs) {
  const [found, setFound] = useState(() => /** @type {{ value: T | null, error: unknown }} */ ({ value: null, error: null }));
  const [round, setRound] = useState(0);
  useEffect(() => {
    let newest = true;
    load().then(
      (value) => newest && setFound({ value, error: null }),
      (error) => newest && setFound({ value: null, error }),
    );
    return () => void (newest = false);
  }, [...inputs, round]);
  return { ...found, again: useCallback(() => setRound((before) => before + 1), []) };
}
