/** Lets the page follow the output while a job writes it. A reader who has scrolled up gets a button instead. */

import { EndFollower } from "../app/end_follower.js";
import { h, useEffect, useRef, useState } from "../app/preact.js";

/** @param {{ live: boolean, output: () => HTMLElement | null }} properties `output` returns the element that grows */
export function FollowWriting({ live, output }) {
  const [away, setAway] = useState(false);
  const follower = useRef(/** @type {EndFollower | null} */ (null));
  useEffect(() => {
    const element = output();
    if (!live || element === null || typeof ResizeObserver === "undefined") return;
    const followed = new EndFollower(screenOf(element), setAway);
    follower.current = followed;
    const onScroll = () => followed.scrolled();
    const observer = new ResizeObserver(() => followed.grown());
    observer.observe(element);
    addEventListener("scroll", onScroll, { passive: true });
    return () => {
      observer.disconnect();
      removeEventListener("scroll", onScroll);
      setAway(false);
    };
  }, [live]);
  const jump = () => {
    follower.current?.jump();
    // The button goes, and with it the focus of a reader without a mouse.
    const element = output();
    element?.setAttribute("tabindex", "-1");
    element?.focus({ preventScroll: true });
  };
  return away && live && h("button", { type: "button", class: "button jump", onclick: jump }, "Jump to latest");
}

/** @param {HTMLElement} element */
function screenOf(element) {
  return {
    end: () => element.getBoundingClientRect().bottom,
    height: () => innerHeight,
    scrolled: () => scrollY,
    scrollTo: (/** @type {number} */ top) => scrollTo({ top, behavior: "instant" }),
  };
}
