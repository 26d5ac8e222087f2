/** Waits before a reconnection: exponential backoff with full jitter. */

/** In milliseconds. */
export const MAX_WAIT = 30_000;

/**
 * Return a random wait between 0 and `base` doubled for each consecutive fault, so that the clients of a server that
 * restarts do not all reconnect at the same time (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 * @param {number} base milliseconds: the server's `retry:`
 * @param {number} faults consecutive failed connections, from 1
 * @param {() => number} [random] uniform in [0, 1)
 * @param {number} [most] milliseconds
 * @returns {number} milliseconds
 */
export function fullJitter(base, faults, random = Math.random, most = MAX_WAIT) {
  return random() * Math.min(Math.max(most, base), base * 2 ** Math.max(0, faults - 1));
}

/**
 * Resolve after the time, or immediately if the signal is aborted or the wait is ended by `wake`.
 * @param {number} milliseconds
 * @param {AbortSignal} [signal]
 * @param {(resolve: () => void) => () => void} [wake] gets a function that ends the wait; returns a function that undoes this
 * @returns {Promise<void>}
 */
export function pause(milliseconds, signal, wake) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      unwake?.();
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener("abort", end);
    const unwake = wake?.(end);
    if (signal?.aborted) end();
  });
}
