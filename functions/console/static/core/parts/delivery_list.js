/** The deliveries to a webhook, with their attempts, and what can be sent again. */

/** @import { DeliverySummary } from "../../../../../docs/api/types" */
/** @import { Context } from "../app/context.js" */

import { ListWatch } from "../../millrace.js";
import { fill, h } from "../app/dom.js";
import { time } from "../app/format.js";
import { sentenceCase } from "../app/labels.js";
import { h as component } from "../app/preact.js";
import { StatusBadge, TimeAgo } from "./fact_components.js";
import { selectField } from "./fields.js";
import { cell, titleCell } from "./item_table.js";
import { Empty, liveList } from "./live_list.js";
import { errorCard } from "./problem_card.js";

const PAGE = 20;
/** How often the list is read while a delivery waits for its first attempt, in milliseconds. */
const PAUSE = 1_000;
/** @type {readonly (readonly [string, string])[]} hours and their label */
const SINCE = [["1", "the last hour"], ["24", "the last day"], ["120", "the last five days"], ["720", "the last 30 days"]];

/**
 * @param {Context} context
 * @param {string} webhookId
 */
export function webhookDeliveries({ millrace, signIn, announce }, webhookId) {
  /** @type {ListWatch<DeliverySummary, {}>} */
  const list = new ListWatch(async ({ cursor }) => {
    const page = await millrace.webhooks.deliveries(webhookId, { limit: PAGE, cursor });
    return { items: page.deliveries, cursor: page.cursor };
  }, {}, { idOf: ({ deliveryId }) => deliveryId, isLive: ({ status }) => status === "pending", times: { live: PAUSE } });
  const problem = h("div", {});
  let left = false;

  /** Do what a button is for, and show the error if it fails. @param {() => Promise<void>} act */
  const attempt = async (act) => {
    fill(problem);
    try {
      await act();
    } catch (error) {
      fill(problem, errorCard(error, { signIn, again: () => attempt(act) }));
    }
  };

  const sendTest = () => attempt(async () => {
    await millrace.webhooks.sendTestEvent(webhookId);
    announce("The test event is sent");
    list.refresh();
  });
  /** @param {DeliverySummary} delivery */
  const replay = ({ deliveryId }) => attempt(async () => {
    list.put(await millrace.webhooks.replay(webhookId, deliveryId));
    announce("The event is sent again");
    list.refresh();
  });
  /** @param {number} hours */
  const recover = (hours) => attempt(async () => {
    const since = new Date(Date.now() - hours * 3_600_000).toISOString();
    let recovered = 0;
    /** @type {string | null} */
    let cursor = null;
    do {
      const report = await millrace.webhooks.recover(webhookId, { since, cursor });
      recovered += report.recovered;
      cursor = report.cursor;
    } while (cursor !== null && !left);
    announce(recovered === 1 ? "1 event is sent again" : `${recovered} events are sent again`);
    list.refresh();
  });

  const deliveries = liveList({
    ...{ list, name: "deliveries", signIn, caption: "Deliveries, newest event first", class: "list deliveries" },
    columns: ["Event", "Status", "Attempts", "Time", "Actions"],
    empty: component(Empty, { icon: "hook", text: "No deliveries in the last 30 days." }),
    idOf: ({ deliveryId }) => deliveryId,
    cells: (delivery) => cellsOf(delivery, replay),
  });
  const element = h("div", {}, recoveryForm(recover, () => attempt(async () => list.refresh())), problem, deliveries.element);
  const stop = () => {
    left = true;
    deliveries.stop();
  };
  return { element, sendTest, stop };
}

/**
 * @param {(hours: number) => Promise<void>} recover
 * @param {() => unknown} refresh
 */
function recoveryForm(recover, refresh) {
  const since = selectField({ name: "since", label: "Send undelivered events of", value: "24", choices: SINCE });
  const element = h("form", { class: "filters", "aria-label": "Recovery" }, since.element,
    h("p", { class: "actions" },
      h("button", { class: "button" }, "Send again"),
      h("button", { type: "button", class: "button", onclick: refresh }, "Refresh")));
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    void recover(Number(since.value()));
  });
  return element;
}

/**
 * @param {DeliverySummary} delivery
 * @param {(delivery: DeliverySummary) => void} replay
 */
function cellsOf(delivery, replay) {
  const { eventType, eventId, jobId, status, createdAt, nextAttemptAt } = delivery;
  return [
    titleCell(eventType, jobId === null ? null : `/console/jobs/${jobId}`, eventId),
    cell("Status", component(StatusBadge, { status })),
    cell("Attempts", [attemptsOf(delivery),
      status === "pending" && nextAttemptAt !== null && component("span", { class: "note" }, " Next ", component(TimeAgo, { iso: nextAttemptAt }))]),
    cell("Time", component(TimeAgo, { iso: createdAt })),
    cell("Actions", component("button", { type: "button", class: "button small", onclick: () => replay(delivery) },
      "Replay", component("span", { class: "visually-hidden" }, ` ${eventId}`))),
  ];
}

/** @param {DeliverySummary} delivery */
function attemptsOf({ attempts, attemptCount }) {
  const latest = attempts.at(-1);
  if (latest === undefined) return "None yet";
  return component("details", {},
    component("summary", {}, `${attemptCount}, latest: ${outcomeOf(latest)}`),
    component("ol", { class: "note" }, attempts.map((each) =>
      component("li", { key: each.number, value: each.number }, `${outcomeOf(each)} in ${each.milliseconds} ms, ${time(each.at)}`))));
}

/** The status of the response, or why there was none. @param {DeliverySummary["attempts"][number]} attempt */
function outcomeOf({ statusCode, error }) {
  return statusCode !== null ? String(statusCode) : sentenceCase(error ?? "no response");
}
