/** The user's webhooks: URLs that are told in signed requests what happens to jobs. */

/** @import { NewWebhook, WebhookDetail, WebhookEventType, WebhookWithSecret } from "../../../../../docs/api/types" */
/** @import { Context } from "../app/context.js" */
/** @import { Page } from "../app/router.js" */

import { ListWatch, Refused } from "../../millrace.js";
import { fill, h } from "../app/dom.js";
import { h as component } from "../app/preact.js";
import { confirmButton } from "../parts/confirm_dialog.js";
import { conflictCard } from "../parts/conflict_card.js";
import { webhookDeliveries } from "../parts/delivery_list.js";
import { copyButton } from "../parts/export_buttons.js";
import { StatusBadge, TimeAgo } from "../parts/fact_components.js";
import { factList, statusBadge, timeOf } from "../parts/facts.js";
import { checkboxField, textField } from "../parts/fields.js";
import { form } from "../parts/form.js";
import { cell, titleCell } from "../parts/item_table.js";
import { Empty, liveList } from "../parts/live_list.js";
import { errorCard } from "../parts/problem_card.js";
import { skeleton } from "../parts/skeleton.js";

/** @type {readonly (readonly [WebhookEventType, string])[]} */
const EVENT_TYPES = [
  ["job.created", "Created"],
  ["job.started", "Started"],
  ["job.completed", "Completed"],
  ["job.failed", "Failed"],
  ["job.cancelled", "Cancelled"],
  ["job.resumed", "Resumed"],
];
/** @type {readonly WebhookEventType[]} */
const USUAL = ["job.completed", "job.failed"];

/** @type {Record<string, string>} */
const REASONS = {
  owner: "You have disabled it",
  gone: "The receiver answered 410 Gone",
  failing: "All deliveries failed for five days",
};

/**
 * @param {Context} context
 * @returns {Page}
 */
export function webhooksPage({ millrace, signIn }) {
  /** @type {ListWatch<WebhookDetail, {}>} */
  const list = new ListWatch(async () => ({ items: (await millrace.webhooks.list()).webhooks, cursor: null }), {}, {
    idOf: ({ webhookId }) => webhookId,
    updatedAt: (webhook) => webhook.updatedAt,
  });
  const webhooks = liveList({
    ...{ list, name: "webhooks", signIn, caption: "Webhooks, newest first", columns: ["Webhook", "Status", "Events", "Updated"] },
    empty: component(Empty, { icon: "hook", text: "No webhooks yet.", action: component("a", { class: "button main", href: "/console/webhooks/new" }, "Create a webhook") }),
    idOf: ({ webhookId }) => webhookId,
    cells: ({ webhookId, url, description, status, eventTypes, updatedAt }) => [
      titleCell(description || url, `/console/webhooks/${webhookId}`, url),
      cell("Status", component(StatusBadge, { status })),
      cell("Events", eventTypes.join(", ")),
      cell("Updated", component(TimeAgo, { iso: updatedAt })),
    ],
  });
  return {
    title: "Webhooks",
    element: h("div", {},
      h("div", { class: "page-head" }, h("h1", {}, "Webhooks"), h("a", { class: "button main", href: "/console/webhooks/new" }, "New webhook")),
      h("p", { class: "lead" }, "A webhook is your URL. Millrace sends a signed request to it when the status of a job changes."), webhooks.element),
    leave: webhooks.stop,
  };
}

/**
 * @param {Context} context
 * @returns {Page}
 */
export function newWebhookPage(context) {
  const element = h("div", { class: "narrow" });
  fill(element, crumbs(), h("h1", {}, "New webhook"),
    webhookForm(context, null, async (fields) => {
      const made = await context.millrace.webhooks.create(fields);
      context.setTitle("Webhook created");
      fill(element, crumbs(), h("h1", { tabindex: "-1" }, "Webhook created"), secretCard(made),
        h("p", { class: "actions" }, h("a", { class: "button main", href: `/console/webhooks/${made.webhookId}` }, "Continue")));
      element.querySelector("h1")?.focus();
    }));
  return { title: "New webhook", element };
}

/**
 * @param {Context} context
 * @param {string} [webhookId]
 * @returns {Page}
 */
export function webhookPage(context, webhookId = "") {
  const element = h("div", { class: "webhook" }, h("h1", {}, "Webhook"), skeleton("Loading the webhook…"));
  /** Its list is read as soon as it exists: not for a webhook that is not there. @type {Deliveries | null} */
  let deliveries = null;
  let left = false;
  const load = async () => {
    try {
      const webhook = await context.millrace.webhooks.get(webhookId);
      if (left) return;
      deliveries ??= webhookDeliveries(context, webhookId);
      showWebhook(context, webhook, element, deliveries);
    } catch (error) {
      fill(element, h("h1", {}, "Webhook"), errorCard(error, { signIn: context.signIn, again: load }));
    }
  };
  void load();
  return {
    title: "Webhook",
    element,
    leave() {
      left = true;
      deliveries?.stop();
    },
  };
}

/** @typedef {ReturnType<typeof webhookDeliveries>} Deliveries */

/**
 * @param {Context} context
 * @param {WebhookDetail | WebhookWithSecret} webhook with its secret after a rotation
 * @param {HTMLElement} element
 * @param {Deliveries} deliveries
 */
function showWebhook(context, webhook, element, deliveries) {
  const name = webhook.description || webhook.url;
  context.setTitle(name);
  /** @param {WebhookDetail | WebhookWithSecret} changed @param {string | null} news null if nothing was saved */
  const changedTo = (changed, news) => {
    if (news !== null) context.toast(news);
    showWebhook(context, changed, element, deliveries);
    element.querySelector("h1")?.focus();
  };
  const conflict = h("div", {});
  const save = saver(context, webhook, conflict, changedTo);
  fill(element,
    crumbs(),
    h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, name), h("div", { class: "actions" }, actions(context, webhook, changedTo, deliveries))),
    factList([
      ["Status", statusBadge(webhook.status)],
      webhook.disabledReason !== null && ["Reason", REASONS[webhook.disabledReason] ?? webhook.disabledReason],
      webhook.pausedUntil !== null && ["Paused until", timeOf(webhook.pausedUntil)],
      webhook.failingSince !== null && ["Failing since", timeOf(webhook.failingSince)],
      ["Secret", secretVersions(webhook)],
      ["Updated", timeOf(webhook.updatedAt)],
      ["Id", h("span", { class: "id" }, webhook.webhookId)],
    ]),
    "secret" in webhook && secretCard(webhook),
    h("section", {}, h("h2", {}, "Deliveries"), deliveries.element),
    h("section", { class: "settings" }, h("h2", {}, "Settings"), conflict, webhookForm(context, webhook, save)));
}

/**
 * Return a function that saves the fields, unless another version was saved since this page read the webhook. Then `conflict`
 * shows in which fields both differ.
 * @param {Context} context
 * @param {WebhookDetail} webhook
 * @param {HTMLElement} conflict
 * @param {(changed: WebhookDetail, news: string | null) => void} changedTo
 */
function saver({ millrace }, { webhookId, version }, conflict, changedTo) {
  return async (/** @type {WebhookFields} */ fields) => {
    fill(conflict);
    try {
      changedTo(await millrace.webhooks.update(webhookId, { ...fields, version }), "The webhook is saved");
    } catch (error) {
      if (!(error instanceof Refused && error.status === 409)) throw error;
      const stored = await millrace.webhooks.get(webhookId);
      if (stored.version === version) throw error;
      const load = () => changedTo(stored, null);
      const keep = () => changedTo({ ...stored, ...fields, pipelines: fields.pipelines ?? null }, null);
      fill(conflict, conflictCard({ thing: "webhook", labels: LABELS, own: fields, stored, load, keep }));
      conflict.querySelector("h2")?.focus();
    }
  };
}

/**
 * @param {Context} context
 * @param {WebhookDetail} webhook
 * @param {(changed: WebhookDetail | WebhookWithSecret, news: string | null) => void} changedTo
 * @param {Deliveries} deliveries
 */
function actions({ millrace, signIn, go }, { webhookId, status }, changedTo, deliveries) {
  const disabled = status === "disabled";
  const wanted = disabled || status === "paused" ? "enabled" : "disabled";
  const rotate = confirmButton({
    ...{ label: "Rotate secret", question: "Rotate the secret?", yes: "Rotate it", no: "Keep the secret", signIn },
    text: "You get a new secret. Requests are signed with both for 24 hours, so give the receiver the new one until then.",
    act: async () => changedTo(await millrace.webhooks.rotateSecret(webhookId), "The secret is rotated"),
  });
  const toggle = confirmButton({
    ...{ label: wanted === "enabled" ? "Enable" : "Disable", yes: wanted === "enabled" ? "Enable it" : "Disable it", no: "Leave it as it is", signIn },
    ...(wanted === "enabled"
      ? { question: "Enable this webhook?", text: "Events are sent to it again. After that you can send the events again that it missed." }
      : { question: "Disable this webhook?", text: "No events are sent to it until you enable it." }),
    act: async () => changedTo(await millrace.webhooks.update(webhookId, { status: wanted }), `The webhook is ${wanted}`),
  });
  const remove = confirmButton({
    ...{ label: "Delete", question: "Delete this webhook?", yes: "Delete it", signIn },
    text: "No more events are sent to it. To stop it for a while, disable it instead.",
    act: async () => {
      await millrace.webhooks.delete(webhookId);
      go("/console/webhooks");
    },
  });
  const test = !disabled && h("button", { type: "button", class: "button small", onclick: deliveries.sendTest }, "Send test event");
  return [test, rotate, toggle, remove];
}

/** @param {WebhookDetail} webhook */
function secretVersions({ secrets }) {
  return secrets.map(({ version, endsAt }, index) =>
    [index > 0 && ", ", `version ${version}`, endsAt !== null && [" until ", timeOf(endsAt)]]);
}

/**
 * The secret, which only the response to a creation or a rotation contains.
 * @param {WebhookWithSecret} webhook
 */
function secretCard({ secret }) {
  return h("section", { class: "card secret" },
    h("h2", {}, "Secret"),
    h("p", {}, "Store it where the receiver reads it. It is not shown again; if it is lost, rotate it."),
    h("p", { class: "actions" }, h("code", {}, secret), copyButton("Copy", () => secret ?? "", "the secret")));
}

function crumbs() {
  return h("p", { class: "crumbs" }, h("a", { href: "/console/webhooks" }, "Webhooks"));
}

/** @typedef {Required<Pick<NewWebhook, "url" | "eventTypes" | "include" | "description">> & Pick<NewWebhook, "pipelines">} WebhookFields */

/** @type {Record<keyof WebhookFields, string>} */
const LABELS = { url: "URL", eventTypes: "Events of jobs", pipelines: "Pipelines", include: "Contents", description: "Description" };

/**
 * @param {Context} context
 * @param {WebhookDetail | null} webhook null for a new one
 * @param {(fields: WebhookFields) => Promise<void>} save
 */
function webhookForm({ signIn }, webhook, save) {
  const url = textField({
    ...{ name: "url", label: LABELS.url, required: true, max: 2048, value: webhook?.url ?? "" },
    ...{ placeholder: "https://", hint: "It begins with https:// and names a public host." },
  });
  const types = checkboxField({
    ...{ name: "eventTypes", label: LABELS.eventTypes, choices: EVENT_TYPES, value: webhook?.eventTypes ?? USUAL },
    ...{ hint: "Choose at least one.", required: true },
  });
  const pipelines = textField({
    ...{ name: "pipelines", label: LABELS.pipelines, value: webhook?.pipelines?.join(", ") ?? "" },
    hint: "Names separated by commas. Leave it empty for all pipelines.",
  });
  const include = checkboxField({
    ...{ name: "include", label: LABELS.include, value: webhook?.include ?? [], choices: [["result", "Result, up to 16 kB"]] },
    hint: "Otherwise an event contains neither input nor output.",
  });
  const description = textField({ name: "description", label: LABELS.description, max: 200, value: webhook?.description ?? "" });
  return form({
    fields: [url, types, pipelines, include, description],
    content: [url, types, pipelines, include, description].map((field) => field.element),
    submit: webhook === null ? "Create webhook" : "Save",
    busy: "Saving…",
    signIn,
    send: () => {
      const names = (pipelines.value() ?? "").split(",").map((each) => each.trim()).filter((each) => each !== "");
      return save({
        ...{ url: url.value() ?? "", eventTypes: types.value(), include: include.value(), description: description.value() ?? "" },
        pipelines: names.length > 0 ? names : null,
      });
    },
  });
}
