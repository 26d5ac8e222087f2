/** The chat about a video: its messages, questions with options to click, the field for the next message, and pictures. */

/** @import { ProjectMessage } from "../../../../../../docs/api/types" */
/** @import { JobView } from "../../../millrace/view.js" */
/** @import { Pictures } from "./pictures.js" */

import { fill, h, setText } from "../../../core/app/dom.js";
import { errorCard } from "../../../core/parts/problem_card.js";

const LONGEST = 4_000;
const MOST_PICTURES = 8;
const ACCEPT = "image/png,image/jpeg,image/webp,image/gif";

/** @typedef {{ label: string, call: { name: string, arguments: Record<string, unknown> } }} Option */
/**
 * @typedef {object} Sent what the user says
 * @property {string} text
 * @property {readonly string[]} imageIds
 * @property {string} [answerTo]
 * @property {Option["call"]} [tool]
 */

/**
 * @param {object} options
 * @param {Pictures} options.pictures
 * @param {(message: Sent) => Promise<unknown>} options.send
 * @param {() => unknown} options.cancel cancels the running job
 * @param {() => Promise<unknown>} options.older shows the messages before those that are shown
 * @param {(revision: number) => unknown} options.compare shows a revision beside the one before
 * @param {() => void} options.signIn
 */
export function talk({ pictures, send, cancel, older, compare, signIn }) {
  const list = h("ol", { class: "talk-messages", "aria-label": "Conversation", tabindex: "0" });
  const before = h("button", {
    ...{ type: "button", class: "button small", hidden: true },
    onclick: async () => {
      before.disabled = true;
      await older().finally(() => (before.disabled = false));
    },
  }, "Older messages");
  /** @type {string | undefined} the oldest message that is shown */
  let first;
  const hint = h("p", { class: "empty" }, "Say what the video should show, or what to change. Every change can be undone.");
  const live = h("div", { class: "talk-live", hidden: true, role: "status" });
  const problem = h("div", {});
  const chosen = h("ul", { class: "talk-pictures", "aria-label": "Pictures of the next message" });
  const input = h("input", { type: "file", accept: ACCEPT, multiple: true, id: "pictures", class: "visually-hidden", onchange: () => void add([...(input.files ?? [])]) });
  const about = h("p", { class: "note" });
  const field = h("textarea", {
    ...{ id: "message", rows: 3, maxlength: LONGEST, placeholder: "A 12 second launch video in three scenes" },
    onkeydown: (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      void submit();
    },
    onpaste: (/** @type {ClipboardEvent} */ event) => take(event, event.clipboardData),
  });
  const button = h("button", { type: "submit", class: "button main" }, "Send");
  const stop = h("button", { type: "button", class: "button", hidden: true, onclick: cancel }, "Cancel");
  const form = h("form", {
    class: "talk-form",
    onsubmit: (/** @type {Event} */ event) => {
      event.preventDefault();
      void submit();
    },
    ondragover: (/** @type {DragEvent} */ event) => event.preventDefault(),
    ondrop: (/** @type {DragEvent} */ event) => take(event, event.dataTransfer),
  }, h("label", { for: "message" }, "Message"), field, about, chosen,
    h("p", { class: "actions" }, input, h("label", { class: "button", for: "pictures" }, "Add pictures"), button, stop));
  const element = h("section", { class: "panel talk", "aria-labelledby": "chat" }, h("h2", { id: "chat" }, "Chat"), hint, before, list, live, problem, form);
  /** @type {{ id: string, name: string }[]} */
  let attached = [];
  let uploads = 0;
  let sending = false;
  let busy = false;
  let shown = "";

  const enable = () => {
    button.disabled = sending || busy || uploads > 0;
    stop.hidden = !busy;
    for (const option of /** @type {NodeListOf<HTMLButtonElement>} */ (list.querySelectorAll("button.option"))) option.disabled = sending || busy;
  };
  /** @param {unknown} error */
  const refuse = (error) => fill(problem, errorCard(error, { signIn }));
  /** @param {Omit<Sent, "imageIds">} message */
  const say = async (message) => {
    if (sending || busy || uploads > 0) return false;
    sending = true;
    enable();
    fill(problem);
    try {
      await send({ ...message, imageIds: attached.map(({ id }) => id) });
      attached = [];
      drawAttached();
      return true;
    } catch (error) {
      refuse(error);
      return false;
    } finally {
      sending = false;
      enable();
    }
  };
  const submit = async () => {
    const text = field.value.trim();
    if (text !== "" && (await say({ text }))) field.value = "";
  };
  /**
   * @param {Event} event
   * @param {DataTransfer | null} data
   */
  const take = (event, data) => {
    const files = [...(data?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    void add(files);
  };
  /** @param {readonly File[]} files */
  const add = async (files) => {
    fill(problem);
    const room = MOST_PICTURES - attached.length - uploads;
    if (files.length > room) refuse(new Error(`a message takes at most ${MOST_PICTURES} pictures`));
    await Promise.all(files.slice(0, Math.max(0, room)).map(upload));
    input.value = "";
  };
  /** @param {File} file */
  const upload = async (file) => {
    uploads += 1;
    enable();
    drawAttached();
    try {
      const { imageId, name } = await pictures.upload(file);
      attached = [...attached, { id: imageId, name }];
    } catch (error) {
      refuse(error);
    } finally {
      uploads -= 1;
      enable();
      drawAttached();
    }
  };
  const drawAttached = () =>
    fill(chosen, attached.map(({ id, name }) =>
      h("li", {}, picture(id, name), h("button", { type: "button", class: "button small", "aria-label": `Remove ${name}`, onclick: () => remove(id) }, "Remove"))),
      uploads > 0 && h("li", { class: "note" }, `Sending ${uploads === 1 ? "a picture" : `${uploads} pictures`}…`));
  /** @param {string} removed */
  const remove = (removed) => {
    attached = attached.filter(({ id }) => id !== removed);
    drawAttached();
    field.focus();
  };
  /**
   * @param {string} id
   * @param {string} name
   */
  const picture = (id, name) => {
    const image = h("img", { alt: name, class: "talk-picture" });
    pictures.url(id).then((url) => (image.src = url), () => image.replaceWith(`(${name} cannot be shown)`));
    return image;
  };
  /**
   * @param {ProjectMessage} message
   * @param {boolean} isLast
   */
  const item = ({ messageId, role, kind, text, imageIds, status, failure, options, revision, changes }, isLast) =>
    h("li", { class: `talk-message from-${role}`, "data-kind": kind },
      h("p", { class: "who" }, role === "user" ? "You" : kind === "question" ? "Question" : "Answer", status === "cancelled" && " · Cancelled"),
      h("p", { class: "talk-text" }, text),
      imageIds.length > 0 && h("p", { class: "talk-pictures" }, imageIds.map((id) => picture(id, "picture"))),
      failure && h("p", { class: "scene-error" }, failure.message),
      revision !== null && changes.some(({ change }) => change === "changed") && h("p", { class: "actions" },
        h("button", { type: "button", class: "button small", "aria-label": `Before and after revision ${revision}`, onclick: () => compare(revision) }, "Before and after")),
      isLast && options.length > 0 && h("p", { class: "actions" }, options.map((option) =>
        h("button", { type: "button", class: "button small option", onclick: () => say({ text: option.label, answerTo: messageId, tool: option.call }) }, option.label))));

  return {
    element,
    /**
     * @param {readonly ProjectMessage[]} messages the oldest first
     * @param {boolean} hasOlder whether the chat has messages before them
     */
    show(messages, hasOlder) {
      before.hidden = !hasOlder;
      const key = JSON.stringify(messages);
      if (key === shown) return;
      shown = key;
      const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
      const below = list.scrollHeight - list.scrollTop;
      hint.hidden = messages.length > 0;
      fill(list, messages.map((each, index) => item(each, index === messages.length - 1)));
      const isLonger = first !== undefined && first !== messages[0]?.messageId;
      first = messages[0]?.messageId;
      if (atEnd) list.scrollTop = list.scrollHeight;
      else if (isLonger) list.scrollTop = list.scrollHeight - below;
      enable();
    },
    /** @param {string | null} scene the name of the scene that a message is about */
    showSelection(scene) {
      setText(about, scene === null ? "" : `About the scene “${scene}”.`);
    },
    /** @param {JobView | null} view of the running job */
    showJob(view) {
      busy = view !== null;
      live.hidden = view === null;
      if (view !== null) fill(live, h("p", { class: "who" }, "Answer"), stepsOf(view).map((step) => h("p", { class: "talk-step" }, step)));
      enable();
    },
  };
}

/** @type {Record<string, string>} */
const STAGES = { decide_tool: "Deciding what to do", brief_scenes: "Planning", make_scenes: "Making scenes", save_scenes: "Saving" };
/** @type {Record<string, string>} */
const STEPS = { brief: "planning", code: "writing", build: "building and playing every frame", upload: "saving" };

/**
 * Return in words what a job does.
 * @param {JobView} view
 * @returns {string[]}
 */
export function stepsOf({ stage, news }) {
  const making = news.filter((each) => each.type === "componentStage").filter(({ status }) => status === "started");
  const steps = making.map(({ name, stage: step, repair, percent }) =>
    `${name}: ${repair ? "repairing, " : ""}${STEPS[step] ?? step} (${percent}%)`);
  return steps.length > 0 ? steps : [`${STAGES[stage ?? ""] ?? "Starting"}…`];
}
