/** Requests about webhooks: URLs that are told in signed requests what happens to the user's jobs. */

/** @import * as Api from "../../../../docs/api/types" */
/** @import { Calls } from "./calls.js" */
/** @import { Abortable } from "./operations.js" */

import { create } from "./calls.js";

export class Webhooks {
  #calls;

  /** @param {Calls} calls */
  constructor(calls) {
    this.#calls = calls;
  }

  /**
   * Create a webhook. Only the response to this, and to `rotateSecret`, contains a secret.
   * @param {Partial<Api.NewWebhook> & Pick<Api.NewWebhook, "url" | "eventTypes">} webhook
   * @param {{ idempotencyKey?: string } & Abortable} [options]
   * @returns {Promise<Api.WebhookWithSecret>}
   */
  create(webhook, options = {}) {
    return create(this.#calls, "/webhooks", webhook, options);
  }

  /**
   * Return all webhooks of the user, newest first.
   * @param {Abortable} [options]
   * @returns {Promise<Api.WebhookList>}
   */
  list({ signal } = {}) {
    return this.#calls.call("GET", "/webhooks", { repeatable: true, signal });
  }

  /**
   * @param {string} id
   * @param {Abortable} [options]
   * @returns {Promise<Api.WebhookDetail>}
   */
  get(id, { signal } = {}) {
    return this.#calls.call("GET", path(id), { repeatable: true, signal });
  }

  /**
   * Change fields of the webhook, or disable or enable it by its `status`. If `change` has a `version`, it must be the
   * current one: this detects a change that was made in the meantime.
   * @param {string} id
   * @param {Api.WebhookChanges} change
   * @param {Abortable} [options]
   * @returns {Promise<Api.WebhookDetail>}
   */
  update(id, change, { signal } = {}) {
    return this.#calls.call("PATCH", path(id), { body: change, signal });
  }

  /**
   * Delete the webhook. Nothing more is sent to its URL.
   * @param {string} id
   * @param {Abortable} [options]
   * @returns {Promise<Api.WebhookDeleted>}
   */
  delete(id, { signal } = {}) {
    return this.#calls.call("DELETE", path(id), { signal });
  }

  /**
   * Replace the webhook's secret. Requests are signed with both for `graceSeconds`, a day by default. This is not repeated
   * after a fault. If the response was lost, call it again: the secret that was lost counts as one that was replaced.
   * @param {string} id
   * @param {{ graceSeconds?: number }} [rotation]
   * @param {Abortable} [options]
   * @returns {Promise<Api.WebhookWithSecret>}
   */
  rotateSecret(id, rotation = {}, { signal } = {}) {
    return this.#calls.call("POST", path(id, "rotate-secret"), { body: rotation, signal });
  }

  /**
   * Send an event of the type `webhook.test` to the webhook.
   * @param {string} id
   * @param {Abortable} [options]
   * @returns {Promise<Api.DeliverySummary>}
   */
  sendTestEvent(id, { signal } = {}) {
    return this.#calls.call("POST", path(id, "test"), { signal });
  }

  /**
   * Return a page of the deliveries to the webhook, newest event first; `cursor` is that of the page before.
   * @param {string} id
   * @param {{ status?: Api.DeliveryStatus, limit?: number, cursor?: string | null } & Abortable} [page]
   * @returns {Promise<Api.DeliveryList>}
   */
  deliveries(id, { signal, ...page } = {}) {
    return this.#calls.call("GET", path(id, "deliveries"), { query: page, repeatable: true, signal });
  }

  /**
   * Return a delivery with the body that is sent.
   * @param {string} id
   * @param {string} deliveryId
   * @param {Abortable} [options]
   * @returns {Promise<Api.DeliveryDetail>}
   */
  delivery(id, deliveryId, { signal } = {}) {
    return this.#calls.call("GET", path(id, "deliveries", deliveryId), { repeatable: true, signal });
  }

  /**
   * Send the event of a delivery again, with the same id and body.
   * @param {string} id
   * @param {string} deliveryId
   * @param {Abortable} [options]
   * @returns {Promise<Api.DeliverySummary>}
   */
  replay(id, deliveryId, { signal } = {}) {
    return this.#calls.call("POST", path(id, "deliveries", deliveryId, "replay"), { signal });
  }

  /**
   * Send all events since a time again that did not arrive. Repeat it with the `cursor` of the response, until that is
   * null.
   * @param {string} id
   * @param {{ since: string, cursor?: string | null }} recovery
   * @param {Abortable} [options]
   * @returns {Promise<Api.RecoveryReport>}
   */
  recover(id, recovery, { signal } = {}) {
    return this.#calls.call("POST", path(id, "recover"), { body: recovery, signal });
  }
}

/** @param {string[]} parts */
function path(...parts) {
  return `/webhooks/${parts.map(encodeURIComponent).join("/")}`;
}
