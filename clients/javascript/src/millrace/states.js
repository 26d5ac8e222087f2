/** The states of a watch and the transitions between them. */

/** @typedef {"idle" | "creating" | "connecting" | "streaming" | "complete" | "error" | "cancelled"} WatchState */
/** @typedef {"create" | "connect" | "opened" | "lost" | "completed" | "failed" | "cancelled" | "stopped"} WatchEvent */

/** @type {Record<WatchState, Partial<Record<WatchEvent, WatchState>>>} */
export const TRANSITIONS = {
  idle: { create: "creating", connect: "connecting" },
  creating: { connect: "connecting", failed: "error", cancelled: "cancelled", stopped: "idle" },
  connecting: {
    opened: "streaming",
    lost: "connecting",
    completed: "complete",
    failed: "error",
    cancelled: "cancelled",
    stopped: "idle",
  },
  streaming: { lost: "connecting", completed: "complete", failed: "error", cancelled: "cancelled", stopped: "idle" },
  complete: { create: "creating", connect: "connecting" },
  // A watch that recovers stays in `error` until it is connected or knows the job's end.
  error: {
    create: "creating",
    connect: "connecting",
    opened: "streaming",
    lost: "error",
    completed: "complete",
    failed: "error",
    cancelled: "cancelled",
  },
  cancelled: { create: "creating", connect: "connecting" },
};

/** The states in which the job has not ended and can be cancelled. */
export const LIVE = Object.freeze(new Set(/** @type {WatchState[]} */ (["creating", "connecting", "streaming"])));

/**
 * Return the state after the event. Throws an Error if the event is not possible in this state.
 * @param {WatchState} state
 * @param {WatchEvent} event
 * @returns {WatchState}
 */
export function next(state, event) {
  const to = TRANSITIONS[state][event];
  if (to === undefined) throw new Error(`${event} cannot happen while ${state}`);
  return to;
}
