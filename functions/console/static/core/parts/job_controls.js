/** The state of a watched job in words, its progress bar, its buttons, and its problem if there is one. */

/** @import { Watch } from "../../millrace.js" */
/** @import { Problem, WatchSnapshot } from "../../millrace/watch.js" */
/** @import { Action } from "./problem_card.js" */

import { problemOf } from "../../millrace.js";
import { sentenceCase } from "../app/labels.js";
import { h, useEffect, useRef, useState } from "../app/preact.js";
import { useKeptFocus } from "../app/use_kept_focus.js";
import { ProblemCard } from "./problem_component.js";
import { QuietNote } from "./quiet_note.js";

/**
 * @typedef {object} JobControlsProperties
 * @property {Watch} watch that recovers by itself
 * @property {WatchSnapshot} snapshot of the watch
 * @property {() => void} signIn
 * @property {readonly Action[]} alternatives what the user can do with an ended job besides resuming it
 */

/** @param {JobControlsProperties} properties */
export function JobControls({ watch, snapshot, signIn, alternatives }) {
  const { state, view, faults, live } = snapshot;
  const { attempt, cancelling, refusal } = useRequests(watch, snapshot);
  const card = useRef(/** @type {HTMLElement | null} */ (null));
  const line = useRef(/** @type {HTMLElement | null} */ (null));
  useKeptFocus(card, line);
  useCoveredHeight(card, live);
  const problem = refusal ?? snapshot.problem;
  const inCard = problem === null ? [] : refusal ? [] : problemActions(problem, watch, { signIn, attempt, alternatives });
  const resume = { label: "Resume", act: () => attempt("resume"), main: true };
  const below = state === "cancelled" ? [resume, ...alternatives] : state === "complete" ? alternatives : [];
  return h("div", { class: "live", "data-live": live ? "" : null, ref: card },
    h("div", { class: "state-line" },
      h("span", { class: "state-mark", "data-state": faults > 0 && live ? "lost" : state }),
      h("p", { class: "state", role: "status", tabindex: "-1", ref: line }, stateText(snapshot)),
      h("span", { class: "percent", "aria-hidden": "true" }, hasEnded(snapshot) ? "" : `${Math.floor(view.progress)}%`),
      (live || isUnconnected(snapshot)) && h("p", { class: "actions" }, h("button", {
        ...{ type: "button", class: "button small", "aria-disabled": cancelling ? "true" : null },
        onclick: () => cancelling || attempt("cancel"),
      }, cancelling ? "Cancelling…" : "Cancel"))),
    h("progress", { max: 100, value: view.progress, "aria-label": "Progress", "data-state": state }),
    snapshot.quiet && h(QuietNote, { quiet: snapshot.quiet }),
    problem && h(ProblemCard, { problem, actions: inCard, details: failureDetails(snapshot, problem) }),
    // Not in the place of Cancel, where the second click of a double click would press them.
    below.length > 0 && h("p", { class: "actions ended-actions" }, below.map(button)));
}

/**
 * Tell the style sheet how high the state is while it is sticky: what gets the focus is scrolled to below it.
 * @param {{ current: HTMLElement | null }} card
 * @param {boolean} live
 */
function useCoveredHeight(card, live) {
  useEffect(() => {
    if (!live || card.current === null || typeof ResizeObserver === "undefined") return;
    const { style } = document.documentElement;
    const observer = new ResizeObserver(([entry]) => style.setProperty("--live-height", `${entry?.borderBoxSize[0]?.blockSize ?? 0}px`));
    observer.observe(card.current);
    return () => {
      observer.disconnect();
      style.removeProperty("--live-height");
    };
  }, [live]);
}

/**
 * The requests that the buttons make: whether the job is being cancelled, and what the API has refused.
 * @param {Watch} watch
 * @param {WatchSnapshot} snapshot
 */
function useRequests(watch, { live, state }) {
  const [cancelling, setCancelling] = useState(false);
  const busy = useRef(false);
  const [refusal, setRefusal] = useState(/** @type {Problem | null} */ (null));
  useEffect(() => setRefusal(null), [state]);
  useEffect(() => {
    if (!live) setCancelling(false);
  }, [live, state]);
  /** @param {"cancel" | "resume"} act */
  const attempt = async (act) => {
    if (busy.current) return; // the second click of a double click, before the button is drawn again
    busy.current = true;
    setRefusal(null);
    if (act === "cancel") setCancelling(true);
    try {
      await watch[act]();
    } catch (error) {
      setCancelling(false);
      setRefusal(problemOf(error));
    } finally {
      busy.current = false;
    }
  };
  return { attempt, cancelling, refusal };
}

/**
 * @param {Problem} problem
 * @param {Watch} watch
 * @param {{ signIn: () => void, attempt: (act: "resume") => Promise<void>, alternatives: readonly Action[] }} acts
 * @returns {readonly Action[]}
 */
function problemActions(problem, watch, { signIn, attempt, alternatives }) {
  if (problem.code === "UNAUTHENTICATED") return [{ label: "Sign in", act: signIn, main: true }];
  if (problem.kind !== "job") return problem.retryable ? [{ label: "Try again", act: () => watch.retry(), main: true }] : [];
  const resume = { label: "Resume", act: () => attempt("resume") };
  // Resuming is possible, but such a fault does not go away by itself.
  if (problem.retryable || alternatives.length === 0) return [{ ...resume, main: problem.retryable }, ...alternatives];
  return [...alternatives.map((each, index) => ({ ...each, main: index === 0 })), resume];
}

/** @param {Action} action */
function button({ label, act, main = false }) {
  return h("button", { key: label, type: "button", class: main ? "button small main" : "button small", onclick: act }, label);
}

/**
 * @param {WatchSnapshot} snapshot
 * @param {Problem} problem
 * @returns {readonly (readonly [string, string | null])[]}
 */
function failureDetails({ view: { failure } }, problem) {
  if (problem.kind !== "job" || failure === null) return [];
  return [
    ["Stage", failure.stage && sentenceCase(failure.stage)],
    ["Attempt", String(failure.attempt)],
    ["Trace", failure.traceId],
  ];
}

/** @param {WatchSnapshot} snapshot */
function hasEnded({ state, view }) {
  return state === "cancelled" || (state === "error" && view.outcome !== null);
}

/**
 * Whether the watch has no connection to a job that, as far as the page knows, runs.
 * @param {WatchSnapshot} snapshot
 */
function isUnconnected({ state, view }) {
  return state === "error" && view.outcome === null && view.jobId !== null;
}

/** @param {WatchSnapshot} snapshot */
function stateText({ state, view, faults, problem }) {
  switch (state) {
    case "idle":
      return "";
    case "creating":
      return "Creating the job…";
    case "connecting":
      return faults > 0 ? "Connection lost. Reconnecting…" : "Connecting…";
    case "streaming":
      if (view.stage === null) return "Waiting for the first stage…";
      return `${sentenceCase(view.stage)}…`;
    case "complete":
      return "Complete";
    case "cancelled":
      return "Cancelled. The finished parts are kept.";
    case "error":
      return problem?.kind === "job" ? "Failed" : "Not connected";
  }
}
