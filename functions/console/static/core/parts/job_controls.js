/** The state of a watched job in words, its progress bar, its buttons, and its problem if there is one. */

/** @import { Watch } from "../../millrace.js" */
/** @import { Problem } from "../../millrace/watch.js" */
/** @import { Action } from "./problem_card.js" */

import { problemOf } from "../../millrace.js";
import { fill, h, setText } from "../app/dom.js";
import { sentenceCase } from "../app/labels.js";
import { problemCard } from "./problem_card.js";

/** The wait for a free stream if the server does not say how long to wait, in seconds. */
const STREAM_WAIT = 5;

/**
 * @param {Watch} watch
 * @param {() => void} signIn
 * @param {readonly Action[]} alternatives to resuming a job that has failed or was cancelled
 */
export function jobControls(watch, signIn, alternatives) {
  const problem = problemArea(watch);
  const cancel = { label: "Cancel", act: () => problem.attempt(() => watch.cancel()) };
  const resume = { label: "Resume", act: () => problem.attempt(() => watch.resume()), main: true };
  const retry = { label: "Try again", act: () => watch.retry(), main: true };
  const line = stateLine();
  const bar = h("progress", { max: 100, value: 0, "aria-label": "Progress" });
  /** @param {Problem} found */
  const actionsFor = (found) => {
    if (found.code === "UNAUTHENTICATED") return [{ label: "Sign in", act: signIn, main: true }];
    if (found.kind === "job") return [resume, ...alternatives];
    return found.retryable ? [retry] : [];
  };
  return {
    element: h("div", { class: "live" }, line.element, bar, problem.element),
    show() {
      const { state, view, live } = watch;
      line.show(watch, live ? [cancel] : state === "cancelled" ? [resume, ...alternatives] : []);
      if (bar.value !== view.progress) bar.value = view.progress;
      bar.dataset["state"] = state;
      problem.show(actionsFor);
    },
    stop: problem.stop,
  };
}

function stateLine() {
  const mark = h("span", { class: "state-mark" });
  const state = h("p", { class: "state", role: "status" });
  const percent = h("span", { class: "percent", "aria-hidden": "true" });
  const buttons = h("p", { class: "actions" });
  let shownText = "";
  let shownState = "";
  return {
    element: h("div", { class: "state-line" }, mark, state, percent, buttons),
    /** @param {Watch} watch @param {readonly Action[]} actions */
    show(watch, actions) {
      const text = stateText(watch);
      if (text !== shownText) setText(state, text);
      shownText = text;
      mark.dataset["state"] = watch.faults > 0 && watch.live ? "lost" : watch.state;
      const ended = watch.state === "error" || watch.state === "cancelled";
      setText(percent, ended ? "" : `${Math.floor(watch.view.progress)} %`);
      if (watch.state === shownState) return; // a button that is drawn again would lose the focus
      shownState = watch.state;
      fill(buttons, actions.map(({ label, act, main }) =>
        h("button", { type: "button", class: main ? "button small main" : "button small", onclick: act }, label)));
    },
  };
}

/** @param {Watch} watch */
function problemArea(watch) {
  const element = h("div", {});
  /** @type {Problem | null} */
  let shown = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let automatic;
  /** @param {Problem} found @param {readonly Action[]} actions */
  const showCard = (found, actions) => fill(element, problemCard(found, actions, failureFacts(watch, found)));
  return {
    element,
    /** @param {() => Promise<void>} act */
    async attempt(act) {
      try {
        await act();
      } catch (error) {
        showCard(problemOf(error), []);
      }
    },
    /** @param {(found: Problem) => readonly Action[]} actionsFor */
    show(actionsFor) {
      if (watch.problem === shown) return;
      shown = watch.problem;
      clearTimeout(automatic);
      if (shown === null) return fill(element);
      showCard(shown, actionsFor(shown));
      if (shown.code !== "STREAM_LIMIT_EXCEEDED") return;
      automatic = setTimeout(() => watch.retry(), 1000 * (shown.retryAfter ?? STREAM_WAIT));
    },
    stop: () => clearTimeout(automatic),
  };
}

/**
 * @param {Watch} watch
 * @param {Problem} found
 * @returns {readonly (readonly [string, string | null])[]}
 */
function failureFacts({ view: { failure } }, found) {
  if (found.kind !== "job" || failure === null) return [];
  return [
    ["Stage", failure.stage && sentenceCase(failure.stage)],
    ["Attempt", String(failure.attempt)],
    ["Trace", failure.traceId],
  ];
}

/** @param {Watch} watch */
function stateText({ state, view, faults }) {
  switch (state) {
    case "idle":
      return "";
    case "creating":
      return "Creating the job …";
    case "connecting":
      return faults > 0 ? "Connection lost. Reconnecting …" : "Connecting …";
    case "streaming":
      if (view.stage === null) return "Waiting for the first stage …";
      return `${sentenceCase(view.stage)} …`;
    case "complete":
      return "Complete";
    case "cancelled":
      return "Cancelled. The finished parts are kept.";
    case "error":
      return "Stopped";
  }
}
