/** How long to wait before coming back: exponential, with full jitter. */

export const LONGEST_WAIT = 30_000;

/**
 * A wait of between nothing and `base` doubled for each fault in a row, so that watchers of one server that fell do not
 * return as one (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 * @param {number} base milliseconds: the server's `retry:`
 * @param {number} faults connections in a row that failed, from 1
 * @param {() => number} [random] uniform in [0, 1)
 * @returns {number} milliseconds
 */
export function fullJitter(base, faults, random = Math.random) {
  return random() * Math.min(Math.max(LONGEST_WAIT, base), base * 2 ** Math.max(0, faults - 1));
}

/**
 * Resolves after the time, or at once when the signal is aborted or `wake` resolves.
 * @param {number} milliseconds
 * @param {AbortSignal} [signal]
 * @param {(resolve: () => void) => () => void} [wake] told how to end the wait; answers how to take that back
 * @returns {Promise<void>}
 */
export function pause(milliseconds, signal, wake) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      forget?.();
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener("abort", end);
    const forget = wake?.(end);
    if (signal?.aborted) end();
  });
}
