/** One video: its preview, its storyboard, the chat that changes it, and its history. */

/** @import { ProjectDetail } from "../../../../../../docs/api/types" */
/** @import { Context } from "../../../core/app/context.js" */
/** @import { Page } from "../../../core/app/router.js" */
/** @import { Film } from "../parts/film.js" */
/** @import { StageFrame } from "../parts/stage_frame.js" */

import { fill, h } from "../../../core/app/dom.js";
import { confirmButton } from "../../../core/parts/confirm_dialog.js";
import { errorCard } from "../../../core/parts/problem_card.js";
import { skeleton } from "../../../core/parts/skeleton.js";
import { formatChoice, formatMessage } from "../parts/format_choice.js";
import { middleOf } from "../parts/film.js";
import { comparison } from "../parts/comparison.js";
import { Pictures } from "../parts/pictures.js";
import { player } from "../parts/player.js";
import { renderPanel } from "../parts/render_panel.js";
import { ProjectSession } from "../parts/project_session.js";
import { StageGroup } from "../parts/stage_group.js";
import { revisionList, undoTarget } from "../parts/revisions.js";
import { storyboard } from "../parts/storyboard.js";
import { talk } from "../parts/talk.js";
import { PROJECTS } from "../paths.js";

/**
 * @param {Context} context
 * @param {string} [projectId]
 * @returns {Page}
 */
export function projectPage(context, projectId = "") {
  const element = h("div", { class: "video-page" }, h("h1", {}, "Video"), skeleton("Loading the video…"));
  let stop = () => {};
  let left = false;
  const load = async () => {
    try {
      const project = await context.millrace.projects.get(projectId, { code: true });
      if (left) return;
      context.setTitle(project.title);
      stop = showProject(context, project, element);
    } catch (error) {
      fill(element, h("h1", {}, "Video"), h("p", { class: "id" }, projectId), errorCard(error, { signIn: context.signIn, again: load }),
        h("p", {}, h("a", { href: PROJECTS }, "All videos")));
    }
  };
  void load();
  return {
    title: "Video",
    element,
    leave() {
      left = true;
      stop();
    },
  };
}

/**
 * @param {Context} context
 * @param {ProjectDetail} first
 * @param {HTMLElement} element
 * @returns {() => void} stops everything that the page runs
 */
function showProject(context, first, element) {
  const { millrace, signIn, announce, go } = context;
  const pictures = new Pictures(millrace, first.projectId);
  const problem = h("div", {});
  const compared = h("div", {});
  /** Why scenes cannot be drawn: id → message. @type {Map<string, string>} */
  const errors = new Map();
  /** @type {string | null} */
  let current = null;
  /** @type {string | null} */
  let selected = null;
  /** @type {ReturnType<typeof comparison> | null} */
  let comparing = null;

  /** @param {unknown} error */
  const fail = (error) => fill(problem, errorCard(error, { signIn }));
  /** @param {() => Promise<unknown>} act */
  const attempt = async (act) => {
    try {
      fill(problem);
      await act();
    } catch (error) {
      fail(error);
    }
  };
  const group = new StageGroup();
  const film = player(group, {
    onShown: (id) => errors.delete(id) && draw(),
    onError(id, _version, message) {
      errors.set(id, message);
      draw();
    },
    onLeftOut: () => {
      announce("A scene did not finish drawing and was left out.");
      draw();
    },
    onPlace(id) {
      current = id;
      draw();
    },
  });
  const board = storyboard(group, {
    choose(id) {
      selected = selected === id ? null : id;
      film.goTo(id);
      draw();
    },
    takeBack(id) {
      group.takeBack(id);
      draw();
    },
  });
  const conversation = talk({
    pictures,
    send: (message) => session.send({ ...message, selectedSceneId: selected }),
    cancel: () => attempt(async () => session.cancel()),
    older: () => attempt(() => session.showOlder()),
    compare: (revision) => compare(revision),
    signIn,
  });
  /**
   * @param {number} revision
   * @param {string} [sceneId]
   */
  const goBack = (revision, sceneId) => attempt(async () => {
    await session.goBack(revision, sceneId);
    announce(`The ${sceneId === undefined ? "video" : "scene"} is as it was at revision ${revision}.`);
  });
  /** @param {number} revision */
  const compare = (revision) => attempt(async () => {
    const [before, after] = await Promise.all([session.filmAt(revision - 1), session.filmAt(revision)]);
    closeComparison();
    const changed = session.state.revisions.find((each) => each.revision === revision)?.changes.find(({ change }) => change === "changed");
    const frame = middleOf(after, changed?.id) ?? film.stage.frame;
    comparing = comparison({ group, before, after, revision, frame, close: closeComparison });
    for (const [index, each] of comparing.stages.entries()) give(each, index === 0 ? before : after);
    fill(compared, comparing.element);
    comparing.element.querySelector("h2")?.focus();
  });
  const closeComparison = () => {
    comparing?.stop();
    comparing = null;
    fill(compared);
  };
  const history = revisionList({ goBack, compare });
  const renders = renderPanel(context, first.projectId);
  const undo = h("button", { type: "button", class: "button small", onclick: () => {
    const target = undoTarget(session.state.revisions, session.state.project.revision);
    if (target !== null) void goBack(target);
  } }, "Undo");
  const formats = formatChoice((name) => attempt(() => session.send(formatMessage(name))));
  const remove = confirmButton({
    ...{ label: "Delete", question: "Delete this video?", yes: "Delete it", signIn },
    text: `“${first.title}” is deleted permanently, with its scenes, its pictures and its chat.`,
    act: async () => {
      await millrace.projects.delete(first.projectId);
      go(PROJECTS);
    },
  });

  /**
   * Give a stage the pictures of a film.
   * @param {StageFrame} stage
   * @param {Film} shown
   */
  const give = (stage, shown) => {
    for (const id of new Set(shown.scenes.flatMap(({ images }) => images))) {
      if (stage.hasImage(id)) continue;
      pictures.read(id).then((blob) => stage.giveImage(id, blob), fail);
    }
  };
  const draw = () => {
    const { project, film: shown, job, revisions } = session.state;
    const scenes = new Set(shown.scenes.map(({ id }) => id));
    if (selected !== null && !scenes.has(selected)) selected = null;
    for (const id of errors.keys()) if (!scenes.has(id)) errors.delete(id);
    board.show(shown, { errors, isLeftOut: (scene) => group.isLeftOut(scene), news: job?.news ?? [], current, selected });
    conversation.showSelection(shown.scenes.find(({ id }) => id === selected)?.name ?? null);
    formats.show(shown.format, job !== null);
    undo.disabled = job !== null || undoTarget(revisions, project.revision) === null;
  };
  const session = new ProjectSession(millrace, first, {
    fail,
    show({ film: shown, messages, hasOlder, revisions, job }) {
      film.show(shown);
      give(film.stage, shown);
      give(board.pictures.stage, shown);
      conversation.show(messages, hasOlder);
      conversation.showJob(job);
      history.show(revisions, job !== null);
      draw();
    },
  });
  fill(element,
    h("p", { class: "crumbs" }, h("a", { href: PROJECTS }, "Videos")),
    h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, first.title), h("p", { class: "actions" }, formats.element, undo, remove)),
    problem,
    h("div", { class: "video-columns" }, h("div", { class: "video-main" }, film.element, board.element, compared), h("div", { class: "video-side" }, conversation.element, renders.element, history.element)));
  void session.start();
  void renders.start();
  return () => {
    session.stop();
    film.stop();
    board.stop();
    renders.stop();
    closeComparison();
    pictures.stop();
  };
}
