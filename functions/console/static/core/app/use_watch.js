/** Hooks that draw a component again: when a watch changes, and as time passes. */

/** @import { Watch } from "../../millrace.js" */
/** @import { WatchSnapshot } from "../../millrace/watch.js" */

import { eachFrame } from "./frames.js";
import { useEffect, useLayoutEffect, useState } from "./preact.js";

/** How often relative times and durations are drawn again, in milliseconds. */
const TICK = 1_000;

/**
 * Return the watch's newest snapshot: the one store of everything that a page shows of a job. The component is drawn at
 * most once per animation frame, however many events arrive.
 * @param {Watch} watch
 * @returns {WatchSnapshot}
 */
export function useWatch(watch) {
  const [snapshot, setSnapshot] = useState(() => watch.snapshot);
  useLayoutEffect(() => eachFrame(watch, () => setSnapshot(watch.snapshot)), [watch]);
  return snapshot;
}

/**
 * Return the time in milliseconds since 1970. While `ticking`, the component is drawn again every second.
 * @param {boolean} [ticking]
 */
export function useNow(ticking = true) {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    setNow(Date.now());
    if (!ticking) return;
    const timer = setInterval(() => setNow(Date.now()), TICK);
    return () => clearInterval(timer);
  }, [ticking]);
  return now;
}
