/** One brainstorming run: live while its job runs, and drawn from its artefacts afterwards. */

/** @import { JobDetail, RunDetail } from "../../../../../../docs/api/types" */
/** @import { Context } from "../../../core/app/context.js" */
/** @import { Page } from "../../../core/app/router.js" */
/** @import { Watch } from "../../../millrace.js" */

import { Refused } from "../../../millrace.js";
import { fill, h } from "../../../core/app/dom.js";
import { duration } from "../../../core/app/format.js";
import { sentenceCase } from "../../../core/app/labels.js";
import { mounted } from "../../../core/app/mounted.js";
import { Fragment, h as component } from "../../../core/app/preact.js";
import { prefill } from "../../../core/app/prefill.js";
import { useLoaded } from "../../../core/app/use_loaded.js";
import { useWatch } from "../../../core/app/use_watch.js";
import { AgentLink } from "../../../core/parts/agent_link.js";
import { confirmButton } from "../../../core/parts/confirm_dialog.js";
import { copyButton } from "../../../core/parts/export_buttons.js";
import { FactList, StatusBadge } from "../../../core/parts/fact_components.js";
import { statusBadge, timeOf } from "../../../core/parts/facts.js";
import { Hosted } from "../../../core/parts/hosted.js";
import { JobPanels } from "../../../core/parts/live_job.js";
import { liveJob } from "../../../core/parts/live_job_element.js";
import { Panel } from "../../../core/parts/panel.js";
import { errorCard, problemCard } from "../../../core/parts/problem_card.js";
import { skeleton } from "../../../core/parts/skeleton.js";
import { ARRANGEMENTS } from "../labels.js";
import { viewOf } from "../../../millrace/view.js";
import { lineage } from "../parts/lineage.js";
import { runIdeas } from "../parts/run_ideas.js";
import { FORM, RUNS } from "../paths.js";

/**
 * @param {Context} context
 * @param {string} [runId]
 * @returns {Page}
 */
export function runPage(context, runId = "") {
  const element = h("div", {}, h("h1", {}, "Run"), skeleton("Loading the run…"));
  let stop = () => {};
  let left = false;
  const load = async () => {
    try {
      const run = await context.millrace.getIdeation(runId);
      const job = await jobOf(context, run);
      if (left) return;
      stop();
      stop = showRun(context, run, job, { element, reload: load });
    } catch (error) {
      fill(element, h("h1", {}, "Run"), h("p", { class: "id" }, runId), errorCard(error, { signIn: context.signIn, again: load }),
        h("p", {}, h("a", { href: RUNS }, "All runs")));
    }
  };
  void load();
  return {
    title: "Run",
    element,
    leave() {
      left = true;
      stop();
    },
  };
}

/**
 * Return the run's active job or, if the run has failed or was cancelled, its last job. Null if the run is complete or the
 * job has expired.
 * @param {Context} context
 * @param {RunDetail} run
 * @returns {Promise<JobDetail | null>}
 */
async function jobOf({ millrace }, { runId, status, transform }) {
  if (status === "completed" || transform === null || transform.jobId === null) return null;
  if (status === "running") {
    const { job } = await millrace.getActiveJob(runId);
    if (job !== null) return job;
  }
  try {
    return await millrace.getJob(transform.jobId);
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return null; // the job has expired, the run is kept
    throw error;
  }
}

/**
 * Show the run, and follow its job if there is one.
 * @param {Context} context
 * @param {RunDetail} run
 * @param {JobDetail | null} job
 * @param {{ element: HTMLElement, reload: () => Promise<void> }} page
 * @returns {() => void} stops following the job
 */
function showRun(context, run, job, { element, reload }) {
  context.setTitle(run.title);
  const again = { label: "New run with these parameters", act: () => startOver(context, run) };
  const watch = job && context.millrace.newWatch({ recovers: true });
  const ideas = runIdeas(context, run, watch, reload);
  const live = job && watch && liveJob(context, watch, job, [again], ideas.element);
  const status = watch && mounted(RunStatus, { run, watch }, "span");
  const side = mounted(RunSide, { context, run, job });
  side.element.classList.add("live-host"); // its panels have the gaps of the column
  const hadFocus = document.activeElement === element.querySelector("h1");
  fill(element,
    h("p", { class: "crumbs" }, h("a", { href: RUNS }, "Runs")),
    h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, run.title), h("p", { class: "actions" },
      h("button", { type: "button", class: "button small", onclick: again.act }, "Use these settings again"), deleteButton(context, run))),
    h("p", { class: "subtitle" }, status?.element ?? statusBadge(run.status), ` ${run.parameters.platform} · `,
      run.transform?.model && `${run.transform.model} · `, "created ", timeOf(run.createdAt)),
    live?.header,
    live === null && run.transform?.failure && problemCard(problemOfRun(run), [{ ...again, main: true }], failureOf(run)),
    h("div", { class: "columns" },
      h("div", { class: "column-main" }, ideas.element, lineage(context, run.runId)),
      h("aside", { class: "column-side", "aria-label": "About this run" }, ideas.side, live?.side, side.element)));
  if (hadFocus) element.querySelector("h1")?.focus({ preventScroll: true });
  if (job && watch) void watch.connect(job);
  return () => {
    ideas.stop();
    status?.stop();
    side.stop();
    live?.stop();
  };
}

/**
 * The status of a run whose job is watched: the run ends with its job.
 * @param {{ run: RunDetail, watch: Watch }} properties
 */
function RunStatus({ run, watch }) {
  const { outcome, jobId } = useWatch(watch).view;
  const running = jobId === null ? run.status : "running";
  return component(StatusBadge, { status: outcome === null ? running : { complete: "completed", error: "failed", cancelled: "cancelled" }[outcome] });
}

/**
 * The run's parameters and, if it is complete, what its job tells: a completed run is drawn from its artefacts, which have
 * neither stages nor tokens nor costs.
 * @param {{ context: Context, run: RunDetail, job: JobDetail | null }} properties `job` as `jobOf` returns it
 */
function RunSide({ context, run, job }) {
  const jobId = run.status === "completed" ? (run.transform?.jobId ?? null) : null;
  const { value: ended, error } = useLoaded(async () => jobId && context.millrace.getJob(jobId), [jobId]);
  const isExpired = jobId === null ? job === null : error instanceof Refused && error.status === 404;
  const snapshot = ended && { view: viewOf(ended), live: false };
  return component(Fragment, {},
    ended && snapshot && component(JobPanels, { context, job: ended, snapshot }),
    component(Parameters, { context, run, isExpired }));
}

/** @param {{ context: Context, run: RunDetail, isExpired: boolean }} properties `isExpired`: whether the run's job is no longer stored */
function Parameters({ context, run: { parameters, transform, runId }, isExpired }) {
  const ended = isExpired ? (transform?.endedAt ?? null) : null;
  return component(Panel, { id: "about", heading: "Parameters" },
    component(FactList, { facts: [
      ["For", parameters.platform],
      ["Ideas", String(parameters.ideaCount)],
      ["Requirements", parameters.requirements],
      ["Arrangement", ARRANGEMENTS[parameters.arrangement] ?? parameters.arrangement],
      ["Agent", transform?.agent && component(AgentLink, { context, agent: transform.agent })],
      ["Retries", transform && transform.retryCount > 0 ? `${transform.retryCount} of ${transform.maxRetries}` : null],
      ["Duration", transform && ended && duration(Date.parse(ended) - Date.parse(transform.createdAt))],
      ["Job", transform?.jobId && (isExpired ? "expired" : component("a", { href: `/console/jobs/${transform.jobId}` }, "open"))],
      ["Run", component("span", { class: "id" }, runId)],
    ] }),
    component(Hosted, { class: "actions", make: () => ({ element: copyButton("Copy id", () => runId) }) }));
}

/**
 * Where the run's job has failed, which the run keeps when the job has expired.
 * @param {RunDetail} run
 * @returns {readonly (readonly [string, string | null])[]}
 */
function failureOf({ transform }) {
  const failure = transform?.failure;
  if (!failure) return [];
  return [
    ["Stage", failure.stage && sentenceCase(failure.stage)],
    ["Attempt", String(failure.attempt)],
    ["Trace", failure.traceId],
  ];
}

/**
 * The failure of a run whose job has expired.
 * @param {RunDetail} run
 */
function problemOfRun({ transform }) {
  const { code = null, message = "The job has failed.", retryable = false } = transform?.failure ?? {};
  return { kind: /** @type {const} */ ("job"), code, message, retryable, status: null, retryAfter: null, requestId: null };
}

/**
 * @param {Context} context
 * @param {RunDetail} run
 */
function startOver({ go }, { parameters }) {
  prefill("ideation", parameters);
  go(FORM);
}

/**
 * @param {Context} context
 * @param {RunDetail} run
 */
function deleteButton({ millrace, go, signIn }, { runId, title }) {
  return confirmButton({
    ...{ label: "Delete", question: "Delete this run?", yes: "Delete it", signIn },
    text: `“${title}” and its ideas are deleted permanently. If its job is running, the job is cancelled.`,
    act: async () => {
      await millrace.deleteIdeation(runId);
      go(RUNS);
    },
  });
}
