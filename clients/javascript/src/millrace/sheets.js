/** Requests about sheet sessions: a workbook, its versions, and the conversation about it. */

/** @import * as Api from "../../../../docs/api/types" */
/** @import { Calls } from "./calls.js" */

/**
 * A cell in JSON: its value alone, or an object if there is more to say.
 * @typedef {string | number | boolean | null} CellValue
 */
/** @typedef {CellValue | { value: CellValue, text?: string, formula?: string, iso?: string, error?: true, frozen?: true }} Cell */
/** @typedef {{ at: string, value?: CellValue, formula?: string }} CellWrite */
/** @typedef {{ limit?: number, cursor?: string | null }} Page */

export class Sheets {
  #calls;

  /** @param {Calls} calls */
  constructor(calls) {
    this.#calls = calls;
  }

  /**
   * Create a session. Then send the file to `upload.url`, and call `load`.
   * @param {{ title?: string, file: { name: string, bytes: number, contentType?: string } }} session
   * @param {{ idempotencyKey?: string }} [options]
   * @returns {Promise<Api.SessionWithUpload>}
   */
  create(session, { idempotencyKey = crypto.randomUUID() } = {}) {
    const headers = { "Idempotency-Key": idempotencyKey };
    return this.#calls.call("POST", "/sessions", { body: session, headers, repeatable: true });
  }

  /**
   * Return one page of the user's sessions, newest first.
   * @param {{ state?: string } & Page} [filter]
   * @returns {Promise<Api.SessionList>}
   */
  list(filter = {}) {
    return this.#calls.call("GET", "/sessions", { query: filter, repeatable: true });
  }

  /**
   * @param {string} id
   * @returns {Promise<Api.SessionDetail>}
   */
  get(id) {
    return this.#calls.call("GET", path(id), { repeatable: true });
  }

  /**
   * Return the session, or null if it has no event after the one with the number `last`.
   * @param {string} id
   * @param {number} last
   * @returns {Promise<Api.SessionDetail | null>}
   */
  getIfChanged(id, last) {
    return this.#calls.callIfChanged(path(id), `"s${last}"`);
  }

  /**
   * Return a new URL for the session's upload, for the announced file or for another.
   * @param {string} id
   * @param {{ name: string, bytes: number, contentType?: string }} [file]
   * @returns {Promise<Api.SessionWithUpload>}
   */
  createUploadUrl(id, file) {
    return this.#calls.call("POST", path(id, "upload-urls"), { body: file ? { file } : {} });
  }

  /**
   * Load the uploaded file: a job, whose end makes the session active.
   * @param {string} id
   * @returns {Promise<Api.JobAccepted>}
   */
  load(id) {
    return this.#calls.call("POST", path(id, "load"));
  }

  /**
   * Return to the newest version whose data is stored, or load the file again.
   * @param {string} id
   * @returns {Promise<Api.SessionRecovered>}
   */
  recover(id) {
    return this.#calls.call("POST", path(id, "recover"));
  }

  /**
   * Close the session and cancel its jobs.
   * @param {string} id
   * @returns {Promise<Api.SessionDetail>}
   */
  close(id) {
    return this.#calls.call("POST", path(id, "close"), { repeatable: true });
  }

  /**
   * Delete the session with all that belongs to it.
   * @param {string} id
   * @returns {Promise<Api.SessionDeleted>}
   */
  delete(id) {
    return this.#calls.call("DELETE", path(id));
  }

  /**
   * Ask about the workbook or for a change of it: a job, which answers.
   * @param {string} id
   * @param {{ text: string, agentId?: string, customModel?: string, selection?: object }} message
   * @returns {Promise<Api.JobAccepted>}
   */
  send(id, message) {
    return this.#calls.call("POST", path(id, "messages"), { body: message });
  }

  /**
   * Return one page of the conversation, newest first.
   * @param {string} id
   * @param {Page} [page]
   * @returns {Promise<Api.MessageList>}
   */
  messages(id, page = {}) {
    return this.#calls.call("GET", path(id, "messages"), { query: page, repeatable: true });
  }

  /**
   * Return one page of the versions, newest first.
   * @param {string} id
   * @param {Page} [page]
   * @returns {Promise<Api.VersionList>}
   */
  versions(id, page = {}) {
    return this.#calls.call("GET", path(id, "versions"), { query: page, repeatable: true });
  }

  /**
   * Return the cells of a range of at most 32,768 cells, of the newest version or of a certain one.
   * @param {string} id
   * @param {{ sheet: string, range: string, version?: number }} where
   * @returns {Promise<Api.Cells>}
   */
  cells(id, where) {
    return this.#calls.call("GET", path(id, "cells"), { query: where, repeatable: true });
  }

  /**
   * Write up to 500 cells as one change. With `version`, only if that version is still the newest.
   * @param {string} id
   * @param {{ sheet: string, cells: readonly CellWrite[] }} change
   * @param {{ version?: number }} [options]
   * @returns {Promise<Api.VersionDetail>}
   */
  edit(id, change, { version } = {}) {
    const headers = version === undefined ? undefined : { "If-Match": `"v${version}"` };
    return this.#calls.call("PATCH", path(id, "cells"), { body: change, ...(headers && { headers }) });
  }

  /**
   * @param {string} id
   * @returns {Promise<Api.VersionDetail>}
   */
  undo(id) {
    return this.#calls.call("POST", path(id, "undo"));
  }

  /**
   * @param {string} id
   * @returns {Promise<Api.VersionDetail>}
   */
  redo(id) {
    return this.#calls.call("POST", path(id, "redo"));
  }

  /**
   * Write the workbook to a file: a job, whose result has the URL.
   * @param {string} id
   * @param {{ format: "xlsx" | "csv", sheet?: string }} parameters
   * @returns {Promise<Api.JobAccepted>}
   */
  export(id, parameters) {
    return this.#calls.call("POST", path(id, "exports"), { body: parameters });
  }
}

/**
 * @param {string} id
 * @param {string} [part]
 */
function path(id, part) {
  return `/sessions/${encodeURIComponent(id)}${part ? `/${part}` : ""}`;
}
