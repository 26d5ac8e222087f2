/** One job: live while it runs, with its result when it is done. */

/** @import { JobDetail, Suggestion } from "../../../../../docs/api/types" */
/** @import { Watch } from "../../millrace.js" */
/** @import { App } from "../app/context.js" */
/** @import { Page } from "../app/router.js" */

import { append, fill, h, setText } from "../app/dom.js";
import { eachFrame } from "../app/frames.js";
import { copyButton, downloadButton, pretty } from "../parts/export_buttons.js";
import { factList, timeOf } from "../parts/facts.js";
import { draftIn, ideaCards, ideaText } from "../../apps/ideation/parts/idea_cards.js";
import { liveJob } from "../parts/live_job.js";
import { errorCard } from "../parts/problem_card.js";
import { draftsIn, suggestionCards, suggestionText } from "../../apps/suggestions/parts/suggestion_cards.js";
import { prefill } from "../app/prefill.js";
import { pipelineName, words } from "../app/labels.js";

/** Where the form of each pipeline is. */
const FORMS = { suggestion: "/console/suggest", ideation: "/console/brainstorm" };

/**
 * @param {App} app
 * @param {string} jobId
 * @returns {Page}
 */
export function jobPage(app, jobId) {
  const element = h("div", {}, h("h1", {}, "Job"), h("p", { class: "lead" }, "Loading …"));
  let stop = () => {};
  let left = false;
  const load = async () => {
    try {
      const job = await app.millrace.getJob(jobId);
      if (!left) stop = showJob(app, job, element);
    } catch (error) {
      fill(element, h("h1", {}, "Job"), h("p", { class: "id" }, jobId), errorCard(error, { signIn: app.signIn, again: load }),
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
 * Answers how to stop following it.
 * @param {App} app
 * @param {JobDetail} job
 * @param {HTMLElement} element
 */
function showJob(app, job, element) {
  const title = titleOf(job);
  app.setTitle(title);
  const watch = app.millrace.newWatch();
  const again = {
    label: "New job with this input",
    act() {
      prefill(job.pipeline, job.input);
      app.go(FORMS[/** @type {keyof typeof FORMS} */ (job.pipeline)] ?? "/");
    },
  };
  const live = liveJob(watch, job, { announce: app.announce, signIn: app.signIn, otherwise: job.pipeline in FORMS ? [again] : [] });
  const output = job.pipeline === "ideation" ? ideasOf(watch) : suggestionsOf(watch, job);
  const heading = element.querySelector("h1");
  const hadFocus = document.activeElement === heading;
  fill(element,
    h("p", { class: "crumbs" }, h("a", { href: "/console/jobs" }, "Jobs")),
    h("h1", { tabindex: "-1" }, title),
    h("p", { class: "sub" }, `${pipelineName(job.pipeline)} · ${job.model} · created `, timeOf(job.createdAt)),
    live.header,
    h("div", { class: "columns" },
      h("div", { class: "column-main" }, output.element),
      h("aside", { class: "column-side", "aria-label": "About this job" }, live.side, about(job))));
  if (hadFocus) element.querySelector("h1")?.focus({ preventScroll: true });
  void watch.connect(job);
  return () => {
    output.stop();
    live.stop();
  };
}

/** @param {JobDetail} job */
function titleOf({ pipeline, input }) {
  const named = input["pageOrComponent"] ?? input["platform"];
  return typeof named === "string" ? named : pipelineName(pipeline);
}

/** @param {JobDetail} job */
function about(job) {
  const { runId } = job.links;
  const asked = Object.entries(job.input).filter(([, value]) => ["string", "number"].includes(typeof value));
  return h("section", { class: "panel", "aria-labelledby": "about" }, h("h2", { id: "about" }, "Asked for"),
    factList([
      ...asked.map(([name, value]) => /** @type {const} */ ([words(name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)), String(value)])),
      ["Agent", job.agent && h("a", { href: `/console/agents/${job.agent.agentId}` }, `version ${job.agent.version}`)],
      ["Run", runId && h("a", { href: `/console/ideations/${runId}` }, "open")],
      ["Job", h("span", { class: "id" }, job.jobId)],
    ]),
    h("p", { class: "actions" }, copyButton("Copy id", () => job.jobId)));
}

/**
 * @param {Watch} watch
 * @param {JobDetail} job
 */
function suggestionsOf(watch, job) {
  const cards = suggestionCards();
  const raw = h("pre", { class: "raw" });
  const waiting = h("p", { class: "waiting" });
  const taking = h("p", { class: "actions" });
  const element = h("section", { "aria-labelledby": "output" },
    h("div", { class: "section-head" }, h("h2", { id: "output" }, "Suggestions"), taking),
    waiting, cards.element,
    h("details", { class: "more" }, h("summary", {}, "The text as the model writes it"), raw));
  const done = () => /** @type {Suggestion[]} */ (watch.view.result?.["suggestions"] ?? []);
  append(taking, [
    copyButton("Copy all", () => done().map(suggestionText).join("\n\n"), "suggestions, as Markdown"),
    downloadButton("Download", `${job.jobId}.json`, "application/json", () => pretty(watch.view.result)),
  ]);
  const stop = eachFrame(watch, ({ view, live }) => {
    const writing = live && view.text !== "";
    const finished = view.outcome === "complete";
    const drafts = finished ? done() : draftsIn(view.text);
    cards.show(drafts, writing);
    cards.element.setAttribute("aria-busy", String(live));
    taking.hidden = !finished;
    setText(raw, view.text);
    setText(waiting, drafts.length > 0 ? "" : live ? "The first words are on their way …" : "Nothing was written.");
    waiting.hidden = drafts.length > 0;
  });
  return { element, stop };
}

/** @param {Watch} watch */
function ideasOf(watch) {
  const cards = ideaCards();
  const taking = h("p", { class: "actions" }, copyButton("Copy all", () => ideas().map(ideaText).join("\n\n"), "ideas, as Markdown"));
  const element = h("section", { "aria-labelledby": "output" },
    h("div", { class: "section-head" }, h("h2", { id: "output" }, "Ideas"), taking), cards.element);
  const ideas = () => watch.view.items.map(({ data }) => /** @type {any} */ (data));
  const stop = eachFrame(watch, ({ view, live }) => {
    cards.grow(ideas(), live ? draftIn(view.text) : null);
    taking.hidden = ideas().length === 0;
  });
  return { element, stop };
}
