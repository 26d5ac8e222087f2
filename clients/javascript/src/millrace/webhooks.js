/** Requests about webhooks: URLs that are told in signed requests what happens to the user's jobs. */

/** @import * as Api from "../../../../docs/api/types" */
/** @import { Calls } from "./calls.js" */

export class Webhooks {
  #calls;

  /** @param {Calls} calls */
  constructor(calls) {
    this.#calls = calls;
  }

  /**
   * Create a webhook. Only the response to this, and to `rotateSecret`, contains a secret.
   * @param {Partial<Api.NewWebhook> & Pick<Api.NewWebhook, "url" | "eventTypes">} webhook
   * @param {{ idempotencyKey?: string }} [options]
   * @returns {Promise<Api.WebhookWithSecret>}
   */
  create(webhook, { idempotencyKey = crypto.randomUUID() } = {}) {
    const headers = { "Idempotency-Key": idempotencyKey };
    return this.#calls.call("POST", "/webhooks", { body: webhook, headers, repeatable: true });
  }

  /**
   * Return all webhooks of the user, newest first.
   * @returns {Promise<Api.WebhookList>}
   */
  list() {
    return this.#calls.call("GET", "/webhooks", { repeatable: true });
  }

  /**
   * @param {string} id
   * @returns {Promise<Api.WebhookDetail>}
   */
  get(id) {
    return this.#calls.call("GET", path(id), { repeatable: true });
  }

  /**
   * Change fields of the webhook, or disable or enable it by its `status`. If `change` has a `version`, it must be the
   * current one: this detects a change that was made in the meantime.
   * @param {string} id
   * @param {Api.WebhookChanges} change
   * @returns {Promise<Api.WebhookDetail>}
   */
  update(id, change) {
    return this.#calls.call("PATCH", path(id), { body: change });
  }

  /**
   * Delete the webhook. Nothing more is sent to its URL.
   * @param {string} id
   * @returns {Promise<Api.WebhookDeleted>}
   */
  delete(id) {
    return this.#calls.call("DELETE", path(id));
  }

  /**
   * Replace the webhook's secret. Requests are signed with both for `graceSeconds`, a day by default.
   * @param {string} id
   * @param {{ graceSeconds?: number }} [rotation]
   * @returns {Promise<Api.WebhookWithSecret>}
   */
  rotateSecret(id, rotation = {}) {
    return this.#calls.call("POST", path(id, "rotate-secret"), { body: rotation });
  }

  /**
   * Send an event of the type `webhook.test` to the webhook.
   * @param {string} id
   * @returns {Promise<Api.DeliverySummary>}
   */
  sendTestEvent(id) {
    return this.#calls.call("POST", path(id, "test"));
  }

  /**
   * Return a page of the deliveries to the webhook, newest event first; `cursor` is that of the page before.
   * @param {string} id
   * @param {{ status?: Api.DeliveryStatus, limit?: number, cursor?: string | null }} [page]
   * @returns {Promise<Api.DeliveryList>}
   */
  deliveries(id, page = {}) {
    return this.#calls.call("GET", path(id, "deliveries"), { query: page, repeatable: true });
  }

  /**
   * Return a delivery with the body that is sent.
   * @param {string} id
   * @param {string} deliveryId
   * @returns {Promise<Api.DeliveryDetail>}
   */
  delivery(id, deliveryId) {
    return this.#calls.call("GET", path(id, "deliveries", deliveryId), { repeatable: true });
  }

  /**
   * Send the event of a delivery again, with the same id and body.
   * @param {string} id
   * @param {string} deliveryId
   * @returns {Promise<Api.DeliverySummary>}
   */
  replay(id, deliveryId) {
    return this.#calls.call("POST", path(id, "deliveries", deliveryId, "replay"));
  }

  /**
   * Send all events since a time again that did not arrive. Repeat it with the `cursor` of the response, until that is
   * null.
   * @param {string} id
   * @param {{ since: string, cursor?: string | null }} recovery
   * @returns {Promise<Api.RecoveryReport>}
   */
  recover(id, recovery) {
    return this.#calls.call("POST", path(id, "recover"), { body: recovery });
  }
}

/** @param {string[]} parts */
function path(...parts) {
  return `/webhooks/${parts.map(encodeURIComponent).join("/")}`;
}
