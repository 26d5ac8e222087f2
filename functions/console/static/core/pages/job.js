/** One job: live while it runs, and its result when it is complete. */

/** @import { JobDetail } from "../../../../../docs/api/types" */
/** @import { Context } from "../app/context.js" */
/** @import { Page } from "../app/router.js" */

import { Refused } from "../../millrace.js";
import { retentionText, time } from "../app/format.js";
import { sentenceCase, titleWithState } from "../app/labels.js";
import { componentPage } from "../app/mounted.js";
import { Fragment, h, useEffect, useMemo, useRef } from "../app/preact.js";
import { prefill } from "../app/prefill.js";
import { useLoaded } from "../app/use_loaded.js";
import { useWatch } from "../app/use_watch.js";
import { AgentLink } from "../parts/agent_link.js";
import { DebugPanels } from "../parts/debug/debug_panels.js";
import { CopyButton } from "../parts/export_components.js";
import { FactList, TimeAgo } from "../parts/fact_components.js";
import { FollowWriting } from "../parts/follow_writing.js";
import { Hosted } from "../parts/hosted.js";
import { JobControls } from "../parts/job_controls.js";
import { JobPanels } from "../parts/live_job.js";
import { Panel } from "../parts/panel.js";
import { errorCard } from "../parts/problem_card.js";
import { Skeleton } from "../parts/skeleton.js";

/**
 * @param {Context} context
 * @param {string} [jobId]
 * @returns {Page}
 */
export function jobPage(context, jobId = "") {
  return componentPage("Job", JobPage, { context, jobId });
}

/** @param {{ context: Context, jobId: string }} properties */
function JobPage({ context, jobId }) {
  const { value: job, error, again } = useLoaded(() => context.millrace.getJob(jobId), [jobId]);
  const title = job === null ? "Job" : titleOf(context, job);
  useEffect(() => context.setTitle(title), [title]);
  // The heading is one element while the job is loading and afterwards: it has the focus after a link.
  return h(Fragment, {},
    job && h("p", { class: "crumbs" }, h("a", { href: "/console/jobs" }, "Jobs")),
    h("h1", { tabindex: "-1" }, title),
    job ? h(WatchedJob, { context, job }) : error ? h(NotLoaded, { context, jobId, error, again }) : h(Skeleton, { label: "Loading the job…" }));
}

/** @param {{ context: Context, jobId: string, error: unknown, again: () => void }} properties */
function NotLoaded({ context, jobId, error, again }) {
  const make = () => ({ element: errorCard(error, { signIn: context.signIn, again }) });
  return [
    h("p", { class: "id" }, jobId),
    h(Hosted, { make, inputs: [error] }),
    error instanceof Refused && error.status === 404 && h("p", { class: "subtitle" }, `It may have expired. ${retentionText(context.config.retention)}`),
    h("p", {}, h("a", { href: "/console/jobs" }, "All jobs")),
  ];
}

/**
 * Follow the job while the component is shown. Everything but the output is drawn from the watch's newest snapshot.
 * @param {{ context: Context, job: JobDetail }} properties
 */
function WatchedJob({ context, job }) {
  const watch = useMemo(() => context.millrace.newWatch({ recovers: true }), [job.jobId]);
  const snapshot = useWatch(watch);
  useEffect(() => {
    void watch.connect(job);
    return () => watch.stop();
  }, [watch]);
  const column = useRef(/** @type {HTMLElement | null} */ (null));
  const { label, output } = context.applications.of(job.pipeline);
  useEffect(() => context.setTitle(titleWithState(titleOf(context, job), snapshot.state)), [job, snapshot.state]);
  // The same description in every drawing: the views are not drawn with each drawing of the output.
  const debugging = useMemo(() => h(DebugPanels, { context, watch, job }), [watch]);
  return h(Fragment, {},
    h("p", { class: "subtitle" }, `${label} · ${job.model} · created `, h(TimeAgo, { iso: job.createdAt }),
      job.archived && ` · from the archive, which keeps it until ${time(job.expiresAt)}`),
    h(JobControls, { watch, snapshot, signIn: context.signIn, alternatives: newJobActions(context, job) }),
    h("div", { class: "columns" },
      h("div", { class: "column-main", ref: column }, h(Hosted, { make: () => output(watch, job), inputs: [watch] }),
        h(FollowWriting, { live: snapshot.live, output: () => column.current })),
      h("aside", { class: "column-side", "aria-label": "About this job" },
        h(JobPanels, { context, job, snapshot }), h(About, { context, job }))),
    debugging);
}

/**
 * The title that the API gives the job, or the label of its pipeline.
 * @param {Context} context
 * @param {JobDetail} job
 */
function titleOf({ applications }, { pipeline, title }) {
  return title ?? applications.of(pipeline).label;
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

/** Fields of an input that the page shows elsewhere: the model above, the agent by its name. */
const SHOWN_ELSEWHERE = new Set(["agentId", "agentVersion", "customModel"]);

/** @param {{ context: Context, job: JobDetail }} properties */
function About({ context, job }) {
  const { runPath, valueLabels = {} } = context.applications.of(job.pipeline);
  const fields = Object.entries(job.input).filter(([name, value]) => ["string", "number"].includes(typeof value) && !SHOWN_ELSEWHERE.has(name));
  return h(Panel, { id: "about", heading: "Input" },
    h(FactList, { facts: [
      ...fields.map(([name, value]) => /** @type {const} */ ([fieldLabel(name), valueLabels[name]?.[String(value)] ?? String(value)])),
      ["Agent", job.agent && h(AgentLink, { context, agent: job.agent })],
      ["Run", runLink(runPath, job.links.runId)],
      ["Job", h("span", { class: "id" }, job.jobId)],
    ] }),
    h("p", { class: "actions" }, h(CopyButton, { label: "Copy id", text: () => job.jobId })));
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
