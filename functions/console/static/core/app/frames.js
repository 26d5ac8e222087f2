/** Limits how often pages draw what a job sends. */

/** @import { Watch } from "../../millrace.js" */

/** After a drawing, frames within this time draw nothing, so that scrolling and typing have them. In milliseconds. */
const PAUSE = 30;

/** The time of the last frame in which something was drawn. */
let drawnAt = -Infinity;

/**
 * Call `show` in the next animation frame, and then after changes: at most thirty times a second, however many events
 * arrive. All callers draw in the same frames.
 * @param {Watch} watch
 * @param {(watch: Watch) => void} show
 * @returns {() => void} ends the calls
 */
export function eachFrame(watch, show) {
  let requested = 0;
  const draw = () => {
    // A hidden page gets no animation frames, but must be up to date when the user returns to it.
    if (document.hidden) return show(watch);
    requested ||= requestAnimationFrame(frame);
  };
  const frame = (/** @type {number} */ time) => {
    if (time !== drawnAt && time - drawnAt < PAUSE) {
      requested = requestAnimationFrame(frame);
      return;
    }
    requested = 0;
    drawnAt = time;
    show(watch);
  };
  const unsubscribe = watch.subscribe(draw);
  draw();
  return () => {
    unsubscribe();
    cancelAnimationFrame(requested);
  };
}
