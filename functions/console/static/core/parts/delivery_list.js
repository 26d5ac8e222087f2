/** The deliveries to a webhook, with their attempts, and what can be sent again. */

/** @import { DeliverySummary } from "../../../../../docs/api/types" */
/** @import { Context } from "../app/context.js" */

import { fill, h } from "../app/dom.js";
import { time } from "../app/format.js";
import { sentenceCase } from "../app/labels.js";
import { statusBadge, timeOf } from "./facts.js";
import { selectField } from "./fields.js";
import { pagedList } from "./paged_list.js";
import { errorCard } from "./problem_card.js";

const PAGE = 20;
/** How often a delivery that waits for its attempt is read again, in milliseconds, and how many times. */
const PAUSE = 1_000;
const MOST_LOOKS = 30;
/** @type {readonly (readonly [string, string])[]} hours and their label */
const SINCE = [["1", "the last hour"], ["24", "the last day"], ["120", "the last five days"], ["720", "the last 30 days"]];

/**
 * @param {Context} context
 * @param {string} webhookId
 */
export function webhookDeliveries({ millrace, signIn, announce }, webhookId) {
  const body = h("tbody", {});
  const head = ["Event", "Status", "Attempts", "Time", "Actions"].map((name) => h("th", { scope: "col" }, name));
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

  /** Show the list, and again when the delivery was attempted. @param {DeliverySummary} sent */
  const follow = async ({ deliveryId, attemptCount }) => {
    await deliveries.reload();
    for (let look = 0; look < MOST_LOOKS && !left; look += 1) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
      if (left || (await millrace.webhooks.delivery(webhookId, deliveryId)).attemptCount > attemptCount) break;
    }
    if (!left) await deliveries.reload();
  };

  const sendTest = () => attempt(async () => {
    const sent = await millrace.webhooks.sendTestEvent(webhookId);
    announce("The test event is sent");
    await follow(sent);
  });
  /** @param {DeliverySummary} delivery */
  const replay = ({ deliveryId }) => attempt(async () => {
    const sent = await millrace.webhooks.replay(webhookId, deliveryId);
    announce("The event is sent again");
    await follow(sent);
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
    await deliveries.reload();
  });

  const deliveries = pagedList({
    fetch: async (cursor) => {
      const page = await millrace.webhooks.deliveries(webhookId, { limit: PAGE, cursor });
      return { items: page.deliveries, cursor: page.cursor };
    },
    row: (delivery) => row(delivery, replay),
    list: body,
    frame: h("table", { class: "list" }, h("caption", { class: "visually-hidden" }, "Deliveries, newest event first"), h("thead", {}, h("tr", {}, head)), body),
    empty: () => h("p", { class: "empty" }, "Nothing was sent to it in the last 30 days."),
    signIn,
  });
  const element = h("div", {}, recoveryForm(recover, () => attempt(deliveries.reload)), problem, deliveries.element);
  return { element, sendTest, reload: deliveries.reload, leave: () => (left = true) };
}

/**
 * @param {(hours: number) => Promise<void>} recover
 * @param {() => unknown} refresh
 */
function recoveryForm(recover, refresh) {
  const since = selectField({ name: "since", label: "Send again what did not arrive in", value: "24", choices: SINCE });
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
function row(delivery, replay) {
  const { eventType, eventId, jobId, status, createdAt, nextAttemptAt } = delivery;
  return h("tr", {},
    h("th", { scope: "row" }, jobId === null ? eventType : h("a", { href: `/console/jobs/${jobId}` }, eventType), h("span", { class: "id" }, eventId)),
    h("td", { "data-label": "Status" }, statusBadge(status)),
    h("td", { "data-label": "Attempts" }, attemptsOf(delivery),
      status === "pending" && nextAttemptAt !== null && h("span", { class: "note" }, "Next ", timeOf(nextAttemptAt))),
    h("td", { "data-label": "Time" }, timeOf(createdAt)),
    h("td", { "data-label": "Actions" },
      h("button", { type: "button", class: "button small", onclick: () => replay(delivery) }, "Replay", h("span", { class: "visually-hidden" }, ` ${eventId}`))));
}

/** @param {DeliverySummary} delivery */
function attemptsOf({ attempts, attemptCount }) {
  const latest = attempts.at(-1);
  if (latest === undefined) return "None yet";
  return h("details", {},
    h("summary", {}, `${attemptCount}, latest: ${outcomeOf(latest)}`),
    h("ol", { class: "note" }, attempts.map((each) =>
      h("li", { value: each.number }, `${outcomeOf(each)} in ${each.milliseconds} ms, ${time(each.at)}`))));
}

/** The status of the response, or why there was none. @param {DeliverySummary["attempts"][number]} attempt */
function outcomeOf({ statusCode, error }) {
  return statusCode !== null ? String(statusCode) : sentenceCase(error ?? "no response");
}
