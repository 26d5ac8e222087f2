/** One brainstorming run: live while a job of it runs, and from its artefacts for good. */

/** @import { Idea, JobDetail, RunDetail } from "../../../../../../docs/api/types" */
/** @import { Watch } from "../../../millrace.js" */
/** @import { App } from "../../../core/app/context.js" */
/** @import { Page } from "../../../core/app/router.js" */

import { Refused } from "../../../millrace.js";
import { fill, h, setText } from "../../../core/app/dom.js";
import { eachFrame } from "../../../core/app/frames.js";
import { confirmed } from "../../../core/parts/confirm_dialog.js";
import { copyButton, downloadButton, pretty } from "../../../core/parts/export_buttons.js";
import { badge, factList, timeOf } from "../../../core/parts/facts.js";
import { genreShares } from "../parts/genre_shares.js";
import { draftIn, ideaCards, ideaText } from "../parts/idea_cards.js";
import { lineage } from "../parts/lineage.js";
import { liveJob } from "../../../core/parts/live_job.js";
import { errorCard, problemCard } from "../../../core/parts/problem_card.js";
import { prefill } from "../../../core/app/prefill.js";
import { STATUSES } from "../../../core/app/labels.js";

const FORM = "/console/brainstorm";

/**
 * @param {App} app
 * @param {string} runId
 * @returns {Page}
 */
export function ideationPage(app, runId) {
  const element = h("div", {}, h("h1", {}, "Run"), h("p", { class: "lead" }, "Loading …"));
  let stop = () => {};
  let left = false;
  const load = async () => {
    try {
      const run = await app.millrace.getIdeation(runId);
      const job = await jobOf(app, run);
      if (left) return;
      stop();
      stop = showRun(app, run, job, { element, reload: load });
    } catch (error) {
      fill(element, h("h1", {}, "Run"), h("p", { class: "id" }, runId), errorCard(error, { signIn: app.signIn, again: load }),
        h("p", {}, h("a", { href: "/console/ideations" }, "All runs")));
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
 * The run's job, if it is still there: the active one, or the last that has failed or was cancelled.
 * @param {App} app
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
    if (error instanceof Refused && error.status === 404) return null; // the job is gone, the run is not
    throw error;
  }
}

/**
 * @param {App} app
 * @param {RunDetail} run
 * @param {JobDetail | null} job
 * @param {{ element: HTMLElement, reload: () => Promise<void> }} place
 * @returns {() => void} stops following it
 */
function showRun(app, run, job, { element, reload }) {
  app.setTitle(run.title);
  const again = { label: "New run with these parameters", act: () => startOver(app, run) };
  const watch = job && app.millrace.newWatch();
  const live = job && watch && liveJob(watch, job, { announce: app.announce, signIn: app.signIn, otherwise: [again] });
  const output = ideas(run, watch, { reload, announce: app.announce });
  const hadFocus = document.activeElement === element.querySelector("h1");
  fill(element,
    h("p", { class: "crumbs" }, h("a", { href: "/console/ideations" }, "Runs")),
    h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, run.title), h("p", { class: "actions" },
      h("button", { type: "button", class: "button small", onclick: again.act }, "Start over"), deleteButton(app, run))),
    h("p", { class: "sub" }, badge(run.status, STATUSES[run.status] ?? run.status), ` ${run.parameters.platform} · `,
      run.transform?.model && `${run.transform.model} · `, "created ", timeOf(run.createdAt)),
    live?.header,
    live === null && run.transform?.failure && problemCard(failureOf(run), [{ ...again, main: true }]),
    h("div", { class: "columns" },
      h("div", { class: "column-main" }, output.element, lineage(app, run.runId)),
      h("aside", { class: "column-side", "aria-label": "About this run" }, output.side, live?.side, about(run))));
  if (hadFocus) element.querySelector("h1")?.focus({ preventScroll: true });
  if (job && watch) void watch.connect(job);
  return () => {
    output.stop();
    live?.stop();
  };
}

/**
 * @param {RunDetail} run
 * @param {Watch | null} watch
 * @param {{ reload: () => Promise<void>, announce: (text: string) => void }} place
 */
function ideas(run, watch, { reload, announce }) {
  const cards = ideaCards();
  const shares = genreShares();
  const waiting = h("p", { class: "waiting" });
  const so_far = () => (watch === null ? run.ideas : /** @type {Idea[]} */ (/** @type {unknown} */ (watch.view.items.map(({ data }) => data))));
  const taking = h("p", { class: "actions" },
    copyButton("Copy all", () => so_far().map(ideaText).join("\n\n"), "ideas, as Markdown"),
    downloadButton("Download", `${run.runId}.json`, "application/json", () => pretty({ title: run.title, parameters: run.parameters, ideas: so_far(), ranking: run.ranking, groups: run.groups })));
  const element = h("section", { "aria-labelledby": "ideas" },
    h("div", { class: "section-head" }, h("h2", { id: "ideas" }, "Ideas"), taking), waiting, cards.element);

  /** @param {readonly Idea[]} found */
  const count = (found) => {
    const named = (/** @type {readonly string[]} */ path) => path.join(" > ");
    shares.show(run.genres.map((share) => ({ ...share, found: found.filter((idea) => named(idea.genrePath) === named(share.genrePath)).length })));
    taking.hidden = found.length === 0;
  };
  if (watch === null) {
    cards.arrange(run.ideas, run);
    count(run.ideas);
    setText(waiting, run.ideas.length > 0 ? "" : "No idea was finished.");
    waiting.hidden = run.ideas.length > 0;
    return { element, side: shares.element, stop: () => {} };
  }
  let counted = -1;
  const stop = eachFrame(watch, ({ view, live, state }) => {
    const found = so_far();
    const draft = live ? draftIn(view.text) : null;
    cards.grow(found, draft);
    cards.element.setAttribute("aria-busy", String(live));
    if (found.length !== counted) count(found);
    counted = found.length;
    const bare = found.length === 0 && draft === null;
    setText(waiting, bare ? (live ? "The first idea is on its way …" : "No idea was finished.") : "");
    waiting.hidden = !bare;
    if (state !== "complete") return;
    announce("The run is complete.");
    void reload(); // from its artefacts, as it will be from now on
  });
  return { element, side: shares.element, stop };
}

/** @param {RunDetail} run */
function about({ parameters, transform, runId }) {
  return h("section", { class: "panel", "aria-labelledby": "about" }, h("h2", { id: "about" }, "Asked for"),
    factList([
      ["For", parameters.platform],
      ["Ideas", String(parameters.ideaCount)],
      ["Requirements", parameters.requirements],
      ["At the end", parameters.arrangement],
      ["Agent", transform?.agent && h("a", { href: `/console/agents/${transform.agent.agentId}` }, `version ${transform.agent.version}`)],
      ["Retries", transform && transform.retryCount > 0 ? `${transform.retryCount} of ${transform.maxRetries}` : null],
      ["Job", transform?.jobId && h("a", { href: `/console/jobs/${transform.jobId}` }, "open")],
      ["Run", h("span", { class: "id" }, runId)],
    ]),
    h("p", { class: "actions" }, copyButton("Copy id", () => runId)));
}

/** @param {RunDetail} run */
function failureOf({ transform }) {
  const { code = null, message = "The job has failed.", retryable = false } = transform?.failure ?? {};
  return { kind: /** @type {const} */ ("job"), code, message, retryable, status: null, retryAfter: null, requestId: null };
}

/**
 * @param {App} app
 * @param {RunDetail} run
 */
function startOver({ go }, { parameters }) {
  prefill("ideation", parameters);
  go(FORM);
}

/**
 * @param {App} app
 * @param {RunDetail} run
 */
function deleteButton({ millrace, go, signIn }, { runId, title }) {
  return confirmed({
    ...{ label: "Delete", question: "Delete this run?", yes: "Delete it", signIn },
    text: `“${title}” and its ideas will be gone for good. A job of it that is running is cancelled.`,
    act: async () => {
      await millrace.deleteIdeation(runId);
      go("/console/ideations");
    },
  });
}
