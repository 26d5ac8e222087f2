/** One job: live while it runs, and its result when it is complete. */

/** @import { JobDetail } from "../../../../../docs/api/types" */
/** @import { Context } from "../app/context.js" */
/** @import { Page } from "../app/router.js" */

import { fill, h } from "../app/dom.js";
import { time } from "../app/format.js";
import { sentenceCase } from "../app/labels.js";
import { prefill } from "../app/prefill.js";
import { copyButton } from "../parts/export_buttons.js";
import { factList, timeOf } from "../parts/facts.js";
import { liveJob } from "../parts/live_job.js";
import { errorCard } from "../parts/problem_card.js";

/**
 * @param {Context} context
 * @param {string} [jobId]
 * @returns {Page}
 */
export function jobPage(context, jobId = "") {
  const element = h("div", {}, h("h1", {}, "Job"), h("p", { class: "lead" }, "Loading …"));
  let stop = () => {};
  let left = false;
  const load = async () => {
    try {
      const job = await context.millrace.getJob(jobId);
      if (!left) stop = showJob(context, job, element);
    } catch (error) {
      fill(element, h("h1", {}, "Job"), h("p", { class: "id" }, jobId), errorCard(error, { signIn: context.signIn, again: load }),
        h("p", {}, h("a", { href: "/console/jobs" }, "All jobs")));
    }
  };
  void load();
  return {
    title: "Job",
    element,
    leave() {
      left = true;
      stop();
    },
  };
}

/**
 * Show the job and follow it.
 * @param {Context} context
 * @param {JobDetail} job
 * @param {HTMLElement} element
 * @returns {() => void} stops following the job
 */
function showJob(context, job, element) {
  const { label, output: drawOutput } = context.applications.of(job.pipeline);
  const title = titleOf(context, job);
  context.setTitle(title);
  const watch = context.millrace.newWatch();
  const live = liveJob(context, watch, job, newJobActions(context, job));
  const output = drawOutput(watch, job);
  const hadFocus = document.activeElement === element.querySelector("h1");
  fill(element,
    h("p", { class: "crumbs" }, h("a", { href: "/console/jobs" }, "Jobs")),
    h("h1", { tabindex: "-1" }, title),
    h("p", { class: "subtitle" }, `${label} · ${job.model} · created `, timeOf(job.createdAt),
      job.archived && ` · from the archive, which keeps it until ${time(job.expiresAt)}`),
    live.header,
    h("div", { class: "columns" },
      h("div", { class: "column-main" }, output.element),
      h("aside", { class: "column-side", "aria-label": "About this job" }, live.side, about(context, job))));
  if (hadFocus) element.querySelector("h1")?.focus({ preventScroll: true });
  void watch.connect(job);
  return () => {
    output.stop();
    live.stop();
  };
}

/**
 * The title that the application gives the job, or the label of its pipeline.
 * @param {Context} context
 * @param {JobDetail} job
 */
function titleOf({ applications }, { pipeline, input }) {
  const { label, titleOf: title } = applications.of(pipeline);
  const given = title(input);
  return typeof given === "string" ? given : label;
}

/**
 * @param {Context} context
 * @param {JobDetail} job
 */
function newJobActions({ applications, go }, { pipeline, input }) {
  const { form } = applications.of(pipeline);
  if (form === null) return [];
  const act = () => {
    prefill(pipeline, input);
    go(form.path);
  };
  return [{ label: "New job with this input", act }];
}

/**
 * @param {Context} context
 * @param {JobDetail} job
 */
function about({ applications }, job) {
  const fields = Object.entries(job.input).filter(([, value]) => ["string", "number"].includes(typeof value));
  return h("section", { class: "panel", "aria-labelledby": "about" }, h("h2", { id: "about" }, "Input"),
    factList([
      ...fields.map(([name, value]) => /** @type {const} */ ([fieldLabel(name), String(value)])),
      ["Agent", job.agent && h("a", { href: `/console/agents/${job.agent.agentId}` }, `version ${job.agent.version}`)],
      ["Run", runLink(applications.of(job.pipeline).runPath, job.links.runId)],
      ["Job", h("span", { class: "id" }, job.jobId)],
    ]),
    h("p", { class: "actions" }, copyButton("Copy id", () => job.jobId)));
}

/**
 * `additionalContext` → `Additional context`.
 * @param {string} name
 */
function fieldLabel(name) {
  return sentenceCase(name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`));
}

/**
 * @param {((runId: string) => string) | undefined} path undefined if the application has no page for a run
 * @param {string | null} runId
 */
function runLink(path, runId) {
  if (runId === null) return null;
  return path ? h("a", { href: path(runId) }, "open") : h("span", { class: "id" }, runId);
}
