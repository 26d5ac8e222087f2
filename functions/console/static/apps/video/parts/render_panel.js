/** Renders a video to a file: its quality, its place in the queue, its progress by chunk, and its download. */

/** @import { RenderDetail } from "../../../../../../docs/api/types" */
/** @import { Context } from "../../../core/app/context.js" */
/** @import { Watch } from "../../../millrace.js" */
/** @import { JobView } from "../../../millrace/view.js" */

import { fill, h } from "../../../core/app/dom.js";
import { timeOf } from "../../../core/parts/facts.js";
import { errorCard } from "../../../core/parts/problem_card.js";

const SHOWN = 10;

/** @type {readonly ["draft" | "standard" | "high", string][]} */
const QUALITIES = [
  ["draft", "Draft, half the size"],
  ["standard", "Standard"],
  ["high", "High"],
];

/**
 * @param {Context} context
 * @param {string} projectId
 */
export function renderPanel({ millrace, signIn, announce }, projectId) {
  const quality = h("select", { id: "render-quality" }, QUALITIES.map(([value, label]) => h("option", { value, selected: value === "standard" }, label)));
  const begin = h("button", { type: "button", class: "button" }, "Render");
  const problem = h("div", {});
  const list = h("ol", { class: "renders", "aria-label": "Renders, newest first" });
  const element = h("section", { class: "panel", "aria-labelledby": "renders" },
    h("h2", { id: "renders" }, "File"),
    h("p", { class: "actions" }, h("label", { for: "render-quality" }, "Quality"), quality, begin),
    problem, list);
  /** The renders that are shown, by id. @type {Map<string, ReturnType<typeof renderEntry>>} */
  const entries = new Map();
  let stopped = false;

  /** @param {() => Promise<unknown>} act */
  const attempt = async (act) => {
    try {
      fill(problem);
      await act();
    } catch (error) {
      if (!stopped) fill(problem, errorCard(error, { signIn }));
    }
  };
  /** @param {readonly RenderDetail[]} renders the newest first */
  const show = (renders) => {
    for (const render of renders) {
      const known = entries.get(render.renderId);
      if (known) known.show(render);
      else entries.set(render.renderId, renderEntry(render, actions));
    }
    fill(list, renders.map(({ renderId }) => entries.get(renderId)?.element));
  };
  const read = async () => {
    const { renders } = await millrace.projects.renders(projectId, { limit: SHOWN });
    if (!stopped) show(renders);
  };
  const actions = {
    /** @param {string} jobId */
    watch: (jobId) => millrace.watch(jobId),
    /** @param {string} renderId */
    read: (renderId) => millrace.projects.render(projectId, renderId),
    /** @param {RenderDetail} render */
    cancel: (render) => attempt(() => millrace.cancelJob(render.jobId)),
    /** @param {RenderDetail} render */
    resume: (render) => attempt(async () => {
      await millrace.resumeJob(render.jobId);
      await read();
    }),
    /** @param {unknown} error */
    fail: (error) => {
      if (!stopped) fill(problem, errorCard(error, { signIn }));
    },
    announce,
  };
  begin.addEventListener("click", () => attempt(async () => {
    begin.disabled = true;
    try {
      const chosen = QUALITIES.find(([value]) => value === quality.value)?.[0] ?? "standard";
      await millrace.projects.createRender(projectId, { quality: chosen });
      await read();
    } finally {
      begin.disabled = false;
    }
  }));
  return {
    element,
    start: () => attempt(read),
    stop() {
      stopped = true;
      for (const entry of entries.values()) entry.stop();
    },
  };
}

/**
 * @typedef {object} RenderActions
 * @property {(jobId: string) => Watch} watch
 * @property {(renderId: string) => Promise<RenderDetail>} read
 * @property {(render: RenderDetail) => unknown} cancel
 * @property {(render: RenderDetail) => unknown} resume
 * @property {(error: unknown) => unknown} fail
 * @property {(text: string) => unknown} announce
 */

/**
 * Return the entry of a render, which follows its job until that has ended.
 * @param {RenderDetail} first
 * @param {RenderActions} actions
 */
function renderEntry(first, actions) {
  const element = h("li", { class: "render" });
  let render = first;
  /** @type {Watch | null} */
  let watch = null;
  const draw = () => fill(element, rows(render, watch?.view ?? null, actions));
  const follow = () => {
    const now = actions.watch(render.jobId);
    watch = now;
    now.subscribe(() => {
      if (watch !== now) return;
      draw();
      if (now.live || now.state === "idle") return;
      watch = null;
      now.stop();
      void end();
    });
  };
  const end = async () => {
    try {
      show(await actions.read(render.renderId));
      actions.announce(`The render of revision ${render.revision} ${ENDS[render.status] ?? "runs"}.`);
    } catch (error) {
      actions.fail(error);
    }
  };
  /** @param {RenderDetail} current */
  const show = (current) => {
    render = current;
    const runs = render.status === "queued" || render.status === "rendering";
    if (runs && watch === null) follow();
    draw();
  };
  show(first);
  return {
    element,
    show,
    stop() {
      watch?.stop();
      watch = null;
    },
  };
}

/** @type {Record<string, string>} */
const ENDS = { completed: "is complete", failed: "has failed", cancelled: "was cancelled" };

/**
 * @param {RenderDetail} render
 * @param {JobView | null} view of its job, while that runs
 * @param {RenderActions} actions
 */
function rows(render, view, actions) {
  const { revision, quality, status, seconds, createdAt } = render;
  const title = h("p", {}, h("strong", {}, `Revision ${revision}`), ` ${quality}, ${seconds} s `, h("span", { class: "note" }, timeOf(createdAt)));
  if (status === "completed") {
    const size = `${render.width} x ${render.height}, ${((render.bytes ?? 0) / 1e6).toFixed(1)} MB`;
    return [title, h("p", { class: "actions" },
      render.downloadUrl === null
        ? h("span", { class: "note" }, "The file has expired; render it again.")
        : h("a", { class: "button small", href: render.downloadUrl, download: "" }, "Download"),
      h("span", { class: "note" }, size))];
  }
  if (status === "failed" || status === "cancelled") {
    return [title,
      h("p", { class: status === "failed" ? "problem" : "note" }, status === "failed" ? render.failure?.message ?? "The render has failed." : "Cancelled."),
      h("p", { class: "actions" }, h("button", { type: "button", class: "button small", onclick: () => actions.resume(render) }, "Resume"))];
  }
  const { words, progress } = stateOf(render, view);
  return [title,
    h("p", { role: "status" }, words),
    h("progress", { max: "100", value: `${progress}`, "aria-label": `Progress of the render of revision ${revision}` }),
    h("p", { class: "actions" }, h("button", { type: "button", class: "button small", onclick: () => actions.cancel(render) }, "Cancel"))];
}

/**
 * Return which fonts the machine that renders must have, besides the bundled one.
 * @param {JobView | null} view
 */
function needed(view) {
  const fonts = view?.news.find(({ type }) => type === "fontsNeeded");
  return fonts?.type === "fontsNeeded" ? ` It needs fonts of the machine that renders: ${fonts.packages.join(", ")}.` : "";
}

/**
 * Return in words what a render does, and its progress from 0 to 100.
 * @param {RenderDetail} render
 * @param {JobView | null} view
 */
export function stateOf(render, view) {
  const progress = Math.max(render.progress, view?.progress ?? 0);
  const queued = view?.news.find(({ type }) => type === "renderQueued");
  const isWaiting = view === null || view.stage === null ? render.status === "queued" : view.stage === "await_turn" && queued !== undefined;
  if (isWaiting) {
    const position = queued?.type === "renderQueued" ? queued.position : render.position;
    return { words: `Queued: position ${position}.`, progress };
  }
  const rendered = (view?.news ?? []).filter((each) => each.type === "chunkRendered");
  const of = rendered[0]?.type === "chunkRendered" ? rendered[0].of : render.chunks;
  if (view?.stage === "join_chunks") return { words: "Joining the chunks…", progress };
  if (of === null) return { words: "Preparing…", progress };
  const done = Math.max(rendered.length, render.chunksRendered);
  return { words: `Rendering: ${done} of ${of} chunks.${needed(view)}`, progress };
}
