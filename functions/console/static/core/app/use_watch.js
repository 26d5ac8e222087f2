/** Hooks that draw a component again: when a watch changes, and as time passes. */

/** @import { Watch } from "../../millrace.js" */
/** @import { WatchSnapshot } from "../../millrace/watch.js" */

import { eachFrame } from "./frames.js";
import { useEffect, useLayoutEffect, useState } from "./preact.js";

/** How often relative times and durations are drawn again, in milliseconds. */
const TICK = 1_000;

/** How long a component may show the text and the number of events of a moment ago, in milliseconds. */
const TEXT_PAUSE = 200;

/**
 * Return the watch's newest snapshot: the one store of everything that a page shows of a job. The component is drawn at
 * most thirty times a second, however many events arrive. If only the text has grown, it is drawn five times a second: the
 * output, which shows the text, draws itself.
 * @param {Watch} watch
 * @returns {WatchSnapshot}
 */
export function useWatch(watch) {
  const [snapshot, setSnapshot] = useState(() => watch.snapshot);
  useLayoutEffect(() => {
    let shown = snapshot;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let later;
    const show = () => {
      clearTimeout(later);
      later = undefined;
      shown = watch.snapshot;
      setSnapshot(shown);
    };
    const stop = eachFrame(watch, () => {
      if (!onlyTextGrew(shown, watch.snapshot)) show();
      else later ??= setTimeout(show, TEXT_PAUSE);
    });
    return () => {
      clearTimeout(later);
      stop();
    };
  }, [watch]);
  return snapshot;
}

/**
 * Whether the second snapshot differs from the first one in its text and in the number of its events only.
 * @param {WatchSnapshot} before
 * @param {WatchSnapshot} after
 */
export function onlyTextGrew(before, after) {
  const { view: one, ...state } = before;
  const { view: other, ...newState } = after;
  return isSame(state, newState) && one.lastEventId !== other.lastEventId && isSame({ ...one, text: "", lastEventId: 0 }, { ...other, text: "", lastEventId: 0 });
}

/**
 * @param {Record<string, any>} one
 * @param {Record<string, any>} other with the same fields
 */
function isSame(one, other) {
  return Object.keys(other).every((name) => one[name] === other[name]);
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
