/** Drawing no more often than the screen does. */

/** @import { Watch } from "../../millrace.js" */

/**
 * Shows the watch at most once for each picture on the screen, however fast its events come.
 * @param {Watch} watch
 * @param {(watch: Watch) => void} show
 * @returns {() => void} ends it
 */
export function eachFrame(watch, show) {
  let asked = 0;
  const forget = watch.subscribe(() => {
    // A hidden page draws no pictures, but shall be right when it is seen again.
    if (document.hidden) return show(watch);
    asked ||= requestAnimationFrame(() => {
      asked = 0;
      show(watch);
    });
  });
  return () => {
    forget();
    cancelAnimationFrame(asked);
  };
}
