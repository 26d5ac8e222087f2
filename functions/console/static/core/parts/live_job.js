/** A job as it runs: its state in words, progress, stages, what happened, and what can be done about it. */

/** @import { JobDetail } from "../../../../../docs/api/types" */
/** @import { Watch } from "../../millrace.js" */
/** @import { JobView } from "../../millrace/view.js" */
/** @import { Action } from "./problem_card.js" */

import { problemOf } from "../../millrace.js";
import { fill, h, setText } from "../app/dom.js";
import { cost, duration, number } from "../app/format.js";
import { eachFrame } from "../app/frames.js";
import { stageName } from "../app/labels.js";
import { factList } from "./facts.js";
import { happenings } from "./event_history.js";
import { problemCard } from "./problem_card.js";
import { stageList } from "./stage_list.js";

/** How often running times go on, in milliseconds. */
const TICK = 1_000;

/**
 * @typedef {object} LiveJobParts
 * @property {(text: string) => void} announce
 * @property {() => void} signIn
 * @property {readonly Action[]} [otherwise] what else can be done about a job that has failed or was cancelled
 */

/**
 * Everything around a job's output. `header` stands above it, `side` beside it; `stop` ends the telling, not the job.
 * @param {Watch} watch
 * @param {JobDetail} job as it was when the page came
 * @param {LiveJobParts} parts
 */
export function liveJob(watch, job, { announce, signIn, otherwise = [] }) {
  const state = h("p", { class: "state", role: "status" });
  const mark = h("span", { class: "state-mark" });
  const percent = h("span", { class: "percent", "aria-hidden": "true" });
  const bar = h("progress", { max: 100, value: 0, "aria-label": "Progress" });
  const actions = h("p", { class: "actions" });
  const problem = h("div", {});
  const stages = stageList();
  const happened = happenings(announce);
  const figures = h("div", {});
  const header = h("div", { class: "live" }, h("div", { class: "state-line" }, mark, state, percent, actions), bar, problem);
  const side = [
    h("section", { class: "panel", "aria-labelledby": "stages" }, h("h2", { id: "stages" }, "Stages"), stages.element),
    happened.element,
    h("section", { class: "panel", "aria-labelledby": "figures" }, h("h2", { id: "figures" }, "Figures"), figures),
  ];

  /** @type {unknown} */
  let shownProblem = null;
  let shownState = "";
  let shownActions = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let automatic;

  /** @param {() => Promise<void>} act */
  const attempt = async (act) => {
    try {
      await act();
    } catch (error) {
      showProblem(problemOf(error), []);
    }
  };
  const cancel = { label: "Cancel", act: () => attempt(() => watch.cancel()) };
  const resume = { label: "Resume", act: () => attempt(() => watch.resume()), main: true };
  const retry = { label: "Try again", act: () => watch.retry(), main: true };

  /**
   * @param {NonNullable<Watch["problem"]>} found
   * @param {readonly Action[]} ways
   */
  const showProblem = (found, ways) => {
    const { failure } = watch.view;
    const facts = found.kind === "job" && failure
      ? /** @type {const} */ ([
          ["Stage", failure.stage && stageName(failure.stage)],
          ["Attempt", String(failure.attempt)],
          ["Trace", failure.traceId],
        ])
      : [];
    fill(problem, problemCard(found, ways, facts));
  };

  /** @param {string} text @param {readonly Action[]} ways */
  const showActions = (text, ways) => {
    if (text === shownActions) return;
    shownActions = text;
    fill(actions, ways.map(({ label, act, main }) =>
      h("button", { type: "button", class: main ? "button small main" : "button small", onclick: act }, label)));
  };

  const show = () => {
    const { view } = watch;
    const words = inWords(watch);
    if (words !== shownState) setText(state, words);
    shownState = words;
    mark.dataset["state"] = watch.faults > 0 && watch.live ? "lost" : watch.state;
    const whole = Math.floor(view.progress);
    if (bar.value !== view.progress) bar.value = view.progress;
    setText(percent, watch.state === "error" || watch.state === "cancelled" ? "" : `${whole} %`);
    bar.dataset["state"] = watch.state;
    stages.show(view, Date.now());
    happened.show(view.resets);
    showActions(watch.state, watch.live ? [cancel] : watch.state === "cancelled" ? [resume, ...otherwise] : []);
    fill(figures, factList([
      ["Took", took(job, view)],
      ["Attempt", view.attempt > 1 ? String(view.attempt) : null],
      ["Retries", view.retryCount > 0 ? String(view.retryCount) : null],
      ["Tokens in", view.usage && number(view.usage.inputTokens)],
      ["Tokens out", view.usage && number(view.usage.outputTokens)],
      ["Cost", view.usage && cost(view.usage.costUsd)],
      ["Events", number(view.lastEventId)],
    ]));
    if (watch.problem === shownProblem) return;
    shownProblem = watch.problem;
    clearTimeout(automatic);
    if (watch.problem === null) return fill(problem);
    showProblem(watch.problem, waysOut(watch.problem));
    const { code, retryAfter } = watch.problem;
    if (code === "STREAM_LIMIT_EXCEEDED") automatic = setTimeout(() => watch.retry(), 1000 * (retryAfter ?? 5));
  };

  /**
   * @param {NonNullable<Watch["problem"]>} found
   * @returns {readonly Action[]}
   */
  const waysOut = (found) => {
    if (found.code === "UNAUTHENTICATED") return [{ label: "Sign in", act: signIn, main: true }];
    if (found.kind === "job") return [resume, ...otherwise];
    return found.retryable ? [retry] : [];
  };

  const forget = eachFrame(watch, show);
  const ticking = setInterval(() => watch.live && stages.show(watch.view, Date.now()), TICK);
  return {
    header,
    side,
    stop() {
      forget();
      clearInterval(ticking);
      clearTimeout(automatic);
      watch.stop();
    },
  };
}

/**
 * From its creation to its end, where both are known.
 * @param {JobDetail} job
 * @param {JobView} view
 */
function took({ createdAt, endedAt }, view) {
  const end = endedAt === null ? view.stages.at(-1)?.endedAt : Date.parse(endedAt);
  return view.outcome !== null && end ? duration(end - Date.parse(createdAt)) : null;
}

/** @param {Watch} watch */
function inWords({ state, view, faults }) {
  switch (state) {
    case "idle":
      return "";
    case "creating":
      return "Creating the job …";
    case "connecting":
      return faults > 0 ? "Connection lost. Coming back …" : "Connecting …";
    case "streaming":
      if (view.stage === null) return "Waiting for the first stage …";
      return `${stageName(view.stage)} …`;
    case "complete":
      return "Complete";
    case "cancelled":
      return "Cancelled. What was done so far is kept.";
    case "error":
      return "Stopped";
  }
}
