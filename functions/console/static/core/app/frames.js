/** Limits drawing to the screen's frame rate. */

/** @import { Watch } from "../../millrace.js" */

/**
 * Call `show` at most once per animation frame, however many events arrive.
 * @param {Watch} watch
 * @param {(watch: Watch) => void} show
 * @returns {() => void} ends the calls
 */
export function eachFrame(watch, show) {
  let requested = 0;
  const unsubscribe = watch.subscribe(() => {
    // A hidden page gets no animation frames, but must be up to date when the user returns to it.
    if (document.hidden) return show(watch);
    requested ||= requestAnimationFrame(() => {
      requested = 0;
      show(watch);
    });
  });
  return () => {
    unsubscribe();
    cancelAnimationFrame(requested);
  };
}
