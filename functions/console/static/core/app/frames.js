/** Limits drawing to the screen's frame rate. */

/** @import { Watch } from "../../millrace.js" */

/**
 * Call `show` in the next animation frame, and then after changes: at most once per frame, however many events arrive.
 * @param {Watch} watch
 * @param {(watch: Watch) => void} show
 * @returns {() => void} ends the calls
 */
export function eachFrame(watch, show) {
  let requested = 0;
  const draw = () => {
    // A hidden page gets no animation frames, but must be up to date when the user returns to it.
    if (document.hidden) return show(watch);
    requested ||= requestAnimationFrame(() => {
      requested = 0;
      show(watch);
    });
  };
  const unsubscribe = watch.subscribe(draw);
  draw();
  return () => {
    unsubscribe();
    cancelAnimationFrame(requested);
  };
}
