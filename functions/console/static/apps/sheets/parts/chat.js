/** The conversation about a workbook: its messages, the answer that is being written, and the field for the next one. */

/** @import { MessageDetail } from "../../../../../../docs/api/types" */
/** @import { Context } from "../../../core/app/context.js" */
/** @import { Watch } from "../../../millrace.js" */
/** @import { JobView } from "../../../millrace/view.js" */

import { fill, h } from "../../../core/app/dom.js";
import { eachFrame } from "../../../core/app/frames.js";
import { growingText } from "../../../core/parts/live_text.js";
import { errorCard } from "../../../core/parts/problem_card.js";
import { qualifiedArea } from "./ranges.js";

const LONGEST = 8_000;
/** @type {Record<string, string>} */
const OUTCOMES = {
  stopped: "Stopped at a limit",
  failed: "Failed",
  cancelled: "Cancelled",
};
/** @type {Record<string, string>} */
const CALLS = { started: "running", finished: "done", failed: "failed" };

/**
 * @typedef {object} Step one call of a tool
 * @property {string} key
 * @property {string} title
 * @property {string} status
 * @property {readonly string[]} ranges that the call changed, each with its sheet
 * @property {string | null} error
 */

/**
 * @param {Context} context
 * @param {{ send: (text: string) => Promise<unknown>, select: (sheet: string, range: string) => void, undo: () => Promise<unknown> }} actions
 */
export function chat(context, { send, select, undo }) {
  const list = h("ol", { class: "messages", "aria-label": "Conversation", tabindex: "0" });
  const live = h("div", { class: "live-answer", hidden: true });
  const answer = growingText("p", { class: "answer" });
  const steps = h("ol", { class: "steps" });
  const changes = h("p", { class: "changes", hidden: true });
  const problem = h("div", {});
  const field = h("textarea", { id: "message", rows: 3, maxlength: LONGEST, placeholder: "What is the total of column D by region?", onkeydown: (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    void submit();
  } });
  const button = h("button", { type: "submit", class: "button main" }, "Send");
  const cancel = h("button", { type: "button", class: "button", hidden: true, onclick: () => watch?.cancel() }, "Cancel");
  const form = h("form", { class: "message-form", onsubmit: (/** @type {Event} */ event) => {
    event.preventDefault();
    void submit();
  } }, h("label", { for: "message" }, "Message"), field, h("p", { class: "actions" }, button, cancel));
  fill(live, h("p", { class: "who" }, "Answer"), steps, answer.element);
  const element = h("section", { class: "chat", "aria-label": "Chat" }, list, live, changes, problem, form);
  let allowed = false;
  let sending = false;
  /** @type {Watch | null} */
  let watch = null;
  let stopWatch = () => {};
  /** @type {string | null} */
  let watched = null;

  const submit = async () => {
    const text = field.value.trim();
    if (text === "" || sending || !allowed) return;
    sending = true;
    enable();
    fill(problem);
    try {
      await send(text);
      field.value = "";
    } catch (error) {
      fill(problem, errorCard(error, { signIn: context.signIn, again: submit }));
    } finally {
      sending = false;
      enable();
    }
  };
  const enable = () => {
    button.disabled = sending || !allowed || watched !== null;
    cancel.hidden = watched === null;
  };
  /** @type {Pick<JobView, "tools" | "subtasks"> | null} */
  let drawn = null;
  /** @param {JobView} view */
  const drawLive = (view) => {
    answer.show(view);
    const same = drawn !== null && drawn.tools === view.tools && drawn.subtasks === view.subtasks;
    drawn = view;
    if (!same) fill(steps, stepsOf(view).map((step) => stepItem(step, select)));
  };

  return {
    element,
    /** @param {boolean} value whether messages can be sent */
    allow(value) {
      allowed = value;
      field.disabled = !value;
      enable();
    },
    /** @param {readonly MessageDetail[]} messages the oldest first */
    show(messages) {
      const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
      fill(list, messages.map(messageItem));
      if (atEnd) list.scrollTop = list.scrollHeight;
    },
    /**
     * Show the answer of a job as it is written; null when no job runs.
     * @param {string | null} jobId
     */
    follow(jobId) {
      if (jobId === watched) return;
      stopWatch();
      watched = jobId;
      live.hidden = jobId === null;
      enable();
      if (jobId === null) return;
      drawn = null;
      answer.show({ text: "" });
      list.scrollTop = list.scrollHeight;
      const following = context.millrace.watch(jobId);
      watch = following;
      const unsubscribe = eachFrame(following, ({ view }) => drawLive(view));
      stopWatch = () => {
        unsubscribe();
        following.stop();
        watch = null;
        stopWatch = () => {};
      };
    },
    /**
     * Say what the last answer has changed, with the way back.
     * @param {{ cells: number | null, title: string | null } | null} change
     */
    showChange(change) {
      changes.hidden = change === null;
      if (change === null) return;
      const { cells, title } = change;
      const what = cells === null ? "This answer has changed the workbook" : `${cells} ${cells === 1 ? "cell" : "cells"}${title ? ` by “${title}”` : ""}`;
      fill(changes, what, " · ", h("button", { type: "button", class: "link", onclick: undo }, "Undo"));
    },
    stop: () => stopWatch(),
  };
}

/** @param {MessageDetail} message */
function messageItem({ role, text, outcome }) {
  return h("li", { class: `message ${role}` },
    h("p", { class: "who" }, role === "user" ? "You" : "Answer", outcome && OUTCOMES[outcome] && ` · ${OUTCOMES[outcome]}`),
    h("p", { class: "answer" }, text));
}

/**
 * Return the calls of tools in the order in which they began.
 * @param {JobView} view
 * @returns {Step[]}
 */
export function stepsOf({ tools, subtasks }) {
  const details = new Map(tools.map((each) => [each.key, each.detail]));
  return subtasks.map(({ key, title, status }) => {
    const detail = /** @type {{ changes?: { id: string }[], error?: { message: string } }} */ (details.get(key) ?? {});
    return { key, title, status, ranges: (detail.changes ?? []).map(({ id }) => id), error: detail.error?.message ?? null };
  });
}

/**
 * @param {Step} step
 * @param {(sheet: string, range: string) => void} select
 */
function stepItem({ title, status, ranges, error }, select) {
  return h("li", { class: "step", "data-status": status },
    h("span", {}, title), h("span", { class: "step-state" }, CALLS[status] ?? status),
    error && h("span", { class: "step-error" }, error),
    ranges.map((range) => {
      const found = qualifiedArea(range);
      return found && h("button", { type: "button", class: "link", onclick: () => select(found.sheet, range.slice(range.lastIndexOf("!") + 1)) }, range);
    }));
}
