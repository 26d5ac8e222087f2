/** Requests about sheet sessions: a workbook, its versions, and the conversation about it. */

/** @import * as Api from "../../../../docs/api/types" */
/** @import { Calls } from "./calls.js" */
/** @import { Abortable, Page } from "./operations.js" */

import { create } from "./calls.js";

/**
 * A cell in JSON: its value alone, or an object if there is more to say.
 * @typedef {string | number | boolean | null} CellValue
 */
/** @typedef {CellValue | { value: CellValue, text?: string, formula?: string, iso?: string, error?: true, frozen?: true }} Cell */
/** @typedef {{ at: string, value?: CellValue, formula?: string }} CellWrite */

export class Sheets {
  #calls;

  /** @param {Calls} calls */
  constructor(calls) {
    this.#calls = calls;
  }

  /**
   * Create a session. Then send the file to `upload.url`, and call `load`.
   * @param {{ title?: string, file: { name: string, bytes: number, contentType?: string } }} session
   * @param {{ idempotencyKey?: string } & Abortable} [options]
   * @returns {Promise<Api.SessionWithUpload>}
   */
  create(session, options = {}) {
    return create(this.#calls, "/sessions", session, options);
  }

  /**
   * Return one page of the user's sessions, newest first.
   * @param {{ state?: string } & Page} [filter]
   * @returns {Promise<Api.SessionList>}
   */
  list({ signal, ...filter } = {}) {
    return this.#calls.call("GET", "/sessions", { query: filter, repeatable: true, signal });
  }

  /**
   * @param {string} id
   * @param {Abortable} [options]
   * @returns {Promise<Api.SessionDetail>}
   */
  get(id, { signal } = {}) {
    return this.#calls.call("GET", path(id), { repeatable: true, signal });
  }

  /**
   * Return the session, or null if it has no event after the one with the number `last`.
   * @param {string} id
   * @param {number} last
   * @param {Abortable} [options]
   * @returns {Promise<Api.SessionDetail | null>}
   */
  getIfChanged(id, last, { signal } = {}) {
    return this.#calls.callIfChanged(path(id), `"s${last}"`, signal);
  }

  /**
   * Return a new URL for the session's upload, for the announced file or for another.
   * @param {string} id
   * @param {{ name: string, bytes: number, contentType?: string }} [file]
   * @param {Abortable} [options]
   * @returns {Promise<Api.SessionWithUpload>}
   */
  createUploadUrl(id, file, { signal } = {}) {
    return this.#calls.call("POST", path(id, "upload-urls"), { body: file ? { file } : {}, signal });
  }

  /**
   * Load the uploaded file: a job, whose end makes the session active.
   * @param {string} id
   * @param {{ idempotencyKey?: string } & Abortable} [options]
   * @returns {Promise<Api.JobAccepted>}
   */
  load(id, options = {}) {
    return create(this.#calls, path(id, "load"), undefined, options);
  }

  /**
   * Return to the newest version whose data is stored, or load the file again.
   * @param {string} id
   * @param {Abortable} [options]
   * @returns {Promise<Api.SessionRecovered>}
   */
  recover(id, { signal } = {}) {
    return this.#calls.call("POST", path(id, "recover"), { signal });
  }

  /**
   * Close the session and cancel its jobs.
   * @param {string} id
   * @param {Abortable} [options]
   * @returns {Promise<Api.SessionDetail>}
   */
  close(id, { signal } = {}) {
    return this.#calls.call("POST", path(id, "close"), { repeatable: true, signal });
  }

  /**
   * Delete the session with all that belongs to it.
   * @param {string} id
   * @param {Abortable} [options]
   * @returns {Promise<Api.SessionDeleted>}
   */
  delete(id, { signal } = {}) {
    return this.#calls.call("DELETE", path(id), { signal });
  }

  /**
   * Ask about the workbook or for a change of it: a job, which answers.
   * @param {string} id
   * @param {{ text: string, agentId?: string, customModel?: string, selection?: object }} message
   * @param {{ idempotencyKey?: string } & Abortable} [options]
   * @returns {Promise<Api.JobAccepted>}
   */
  send(id, message, options = {}) {
    return create(this.#calls, path(id, "messages"), message, options);
  }

  /**
   * Return one page of the conversation, newest first.
   * @param {string} id
   * @param {Page} [page]
   * @returns {Promise<Api.MessageList>}
   */
  messages(id, { signal, ...page } = {}) {
    return this.#calls.call("GET", path(id, "messages"), { query: page, repeatable: true, signal });
  }

  /**
   * Return one page of the versions, newest first.
   * @param {string} id
   * @param {Page} [page]
   * @returns {Promise<Api.VersionList>}
   */
  versions(id, { signal, ...page } = {}) {
    return this.#calls.call("GET", path(id, "versions"), { query: page, repeatable: true, signal });
  }

  /**
   * Return the cells of a range of at most 32,768 cells, of the newest version or of a certain one.
   * @param {string} id
   * @param {{ sheet: string, range: string, version?: number } & Abortable} where
   * @returns {Promise<Api.Cells>}
   */
  cells(id, { signal, ...where }) {
    return this.#calls.call("GET", path(id, "cells"), { query: where, repeatable: true, signal });
  }

  /**
   * Write up to 500 cells as one change. With `version`, only if that version is still the newest.
   * @param {string} id
   * @param {{ sheet: string, cells: readonly CellWrite[] }} change
   * @param {{ version?: number } & Abortable} [options]
   * @returns {Promise<Api.VersionDetail>}
   */
  edit(id, change, { version, signal } = {}) {
    const headers = version === undefined ? undefined : { "If-Match": `"v${version}"` };
    return this.#calls.call("PATCH", path(id, "cells"), { body: change, ...(headers && { headers }), signal });
  }

  /**
   * @param {string} id
   * @param {Abortable} [options]
   * @returns {Promise<Api.VersionDetail>}
   */
  undo(id, { signal } = {}) {
    return this.#calls.call("POST", path(id, "undo"), { signal });
  }

  /**
   * @param {string} id
   * @param {Abortable} [options]
   * @returns {Promise<Api.VersionDetail>}
   */
  redo(id, { signal } = {}) {
    return this.#calls.call("POST", path(id, "redo"), { signal });
  }

  /**
   * Write the workbook to a file: a job, whose result has the URL.
   * @param {string} id
   * @param {{ format: "xlsx" | "csv", sheet?: string }} parameters
   * @param {{ idempotencyKey?: string } & Abortable} [options]
   * @returns {Promise<Api.JobAccepted>}
   */
  export(id, parameters, options = {}) {
    return create(this.#calls, path(id, "exports"), parameters, options);
  }
}

/**
 * @param {string} id
 * @param {string} [part]
 */
function path(id, part) {
  return `/sessions/${encodeURIComponent(id)}${part ? `/${part}` : ""}`;
}
