/** The life of a watched job, as its page sees it. */

/** @typedef {"idle" | "creating" | "connecting" | "streaming" | "complete" | "error" | "cancelled"} WatchState */
/** @typedef {"create" | "connect" | "opened" | "lost" | "completed" | "failed" | "cancelled"} WatchEvent */

/** @type {Record<WatchState, Partial<Record<WatchEvent, WatchState>>>} */
export const TRANSITIONS = {
  idle: { create: "creating", connect: "connecting" },
  creating: { connect: "connecting", failed: "error", cancelled: "cancelled" },
  connecting: {
    opened: "streaming",
    lost: "connecting",
    completed: "complete",
    failed: "error",
    cancelled: "cancelled",
  },
  streaming: { lost: "connecting", completed: "complete", failed: "error", cancelled: "cancelled" },
  complete: { create: "creating" },
  error: { create: "creating", connect: "connecting" },
  cancelled: { create: "creating", connect: "connecting" },
};

/** States in which something is still to come, and in which cancelling makes sense. */
export const LIVE = Object.freeze(new Set(/** @type {WatchState[]} */ (["creating", "connecting", "streaming"])));

/**
 * The state after the event; an Error for an event that cannot happen there.
 * @param {WatchState} state
 * @param {WatchEvent} event
 * @returns {WatchState}
 */
export function next(state, event) {
  const then = TRANSITIONS[state][event];
  if (then === undefined) throw new Error(`${event} cannot happen while ${state}`);
  return then;
}
