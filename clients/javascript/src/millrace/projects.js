/** Requests about video projects: their scenes, revisions, images and renders, and the chat that changes them. */

/** @import * as Api from "../../../../docs/api/types" */
/** @import { Calls } from "./calls.js" */
/** @import { Abortable, Page } from "./operations.js" */

import { create } from "./calls.js";
import { Unreachable } from "./errors.js";

/**
 * A message to a project. `answerTo` is the id of the question that it answers; with `tool`, no model chooses the tool.
 * @typedef {object} NewProjectMessage
 * @property {string} text
 * @property {readonly string[]} [imageIds]
 * @property {readonly string[]} [sceneIds]
 * @property {string | null} [selectedSceneId]
 * @property {string | null} [answerTo]
 * @property {{ name: string, arguments: Record<string, unknown> } | null} [tool]
 */

export class Projects {
  #calls;

  /** @param {Calls} calls */
  constructor(calls) {
    this.#calls = calls;
  }

  /**
   * Create an empty project.
   * @param {{ title: string, format?: string | { width: number, height: number, fps: number } }} project
   * @param {{ idempotencyKey?: string } & Abortable} [options]
   * @returns {Promise<Api.ProjectDetail>}
   */
  create(project, options = {}) {
    return create(this.#calls, "/projects", project, options);
  }

  /**
   * Return one page of the user's projects, newest first.
   * @param {Page} [page]
   * @returns {Promise<Api.ProjectList>}
   */
  list({ signal, ...page } = {}) {
    return this.#calls.call("GET", "/projects", { query: page, repeatable: true, signal });
  }

  /**
   * Return the project as it is now, or at a revision; with `code`, with what its scenes consist of.
   * @param {string} id
   * @param {{ code?: boolean, revision?: number } & Abortable} [options]
   * @returns {Promise<Api.ProjectDetail>}
   */
  get(id, { code = false, revision, signal } = {}) {
    return this.#calls.call("GET", path(id), { query: { code: String(code), revision }, repeatable: true, signal });
  }

  /**
   * Return the project with its code, or null if its newest revision is still this one.
   * @param {string} id
   * @param {number} revision
   * @param {Abortable} [options]
   * @returns {Promise<Api.ProjectDetail | null>}
   */
  getIfChanged(id, revision, { signal } = {}) {
    return this.#calls.callIfChanged(`${path(id)}?code=true`, `"rev-${revision}"`, signal);
  }

  /**
   * Return a version of a scene; without `version`, the one that the project has now.
   * @param {string} id
   * @param {string} sceneId
   * @param {{ version?: number } & Abortable} [options]
   * @returns {Promise<Api.SceneDetail>}
   */
  scene(id, sceneId, { signal, ...options } = {}) {
    return this.#calls.call("GET", path(id, `scenes/${encodeURIComponent(sceneId)}`), { query: options, repeatable: true, signal });
  }

  /**
   * Change the title or the format.
   * @param {string} id
   * @param {{ title?: string, format?: string | { width: number, height: number, fps: number } }} change
   * @param {Abortable} [options]
   * @returns {Promise<Api.ProjectDetail>}
   */
  update(id, change, { signal } = {}) {
    return this.#calls.call("PATCH", path(id), { body: change, signal });
  }

  /**
   * Delete the project with all that belongs to it.
   * @param {string} id
   * @param {Abortable} [options]
   * @returns {Promise<Api.ProjectDeleted>}
   */
  delete(id, { signal } = {}) {
    return this.#calls.call("DELETE", path(id), { signal });
  }

  /**
   * Send a message: a job, which answers it and may change the project.
   * @param {string} id
   * @param {NewProjectMessage} message
   * @param {{ idempotencyKey?: string } & Abortable} [options]
   * @returns {Promise<Api.MessageAccepted>}
   */
  send(id, message, options = {}) {
    return create(this.#calls, path(id, "messages"), message, options);
  }

  /**
   * Return one page of the chat, newest first.
   * @param {string} id
   * @param {Page} [page]
   * @returns {Promise<Api.ProjectMessageList>}
   */
  messages(id, { signal, ...page } = {}) {
    return this.#calls.call("GET", path(id, "messages"), { query: page, repeatable: true, signal });
  }

  /**
   * Return one page of the revisions, newest first.
   * @param {string} id
   * @param {Page} [page]
   * @returns {Promise<Api.RevisionList>}
   */
  revisions(id, { signal, ...page } = {}) {
    return this.#calls.call("GET", path(id, "revisions"), { query: page, repeatable: true, signal });
  }

  /**
   * Return to an earlier revision, as a new revision; with `sceneId`, of that scene only; with `seen`, only if that is
   * still the newest revision.
   * @param {string} id
   * @param {number} revision
   * @param {{ seen?: number, sceneId?: string } & Abortable} [options]
   * @returns {Promise<Api.ProjectDetail>}
   */
  revert(id, revision, { seen, sceneId, signal } = {}) {
    const headers = seen === undefined ? undefined : { "If-Match": `"rev-${seen}"` };
    const body = { revision, ...(sceneId !== undefined && { sceneId }) };
    return this.#calls.call("POST", path(id, "revert"), { body, ...(headers && { headers }), signal });
  }

  /**
   * Return the facts that every message is answered with: those of all projects, or with `projectId` those of one.
   * @param {{ projectId?: string } & Abortable} [options]
   * @returns {Promise<Api.PreferenceList>}
   */
  preferences({ signal, ...options } = {}) {
    return this.#calls.call("GET", "/preferences/video", { query: options, repeatable: true, signal });
  }

  /**
   * Set facts, and remove those that are null.
   * @param {Record<string, string | null>} facts
   * @param {{ projectId?: string } & Abortable} [options]
   * @returns {Promise<Api.PreferenceList>}
   */
  updatePreferences(facts, { signal, ...options } = {}) {
    return this.#calls.call("PATCH", "/preferences/video", { query: options, body: { facts }, signal });
  }

  // ---- images --------------------------------------------------------------------------------------------------------

  /**
   * Upload an image, and return it when the API has checked it.
   * @param {string} id
   * @param {Blob} file a PNG, JPEG, WebP or GIF of at most 8 MiB
   * @param {string} name
   * @param {Abortable} [options]
   * @returns {Promise<Api.ImageDetail>}
   */
  async upload(id, file, name, { signal } = {}) {
    const { imageId, upload } = await this.createImage(id, { name, contentType: file.type, bytes: file.size }, { signal });
    const form = new FormData();
    for (const [field, value] of Object.entries(upload.fields)) form.append(field, value);
    form.append("file", file);
    const response = await fetch(upload.url, { method: "POST", body: form, credentials: "omit", ...(signal && { signal }) }).catch((cause) => {
      signal?.throwIfAborted();
      throw new Unreachable("the upload broke off; check the network and send the image again", { cause });
    });
    if (!response.ok) throw new Unreachable(`the upload was refused with the status ${response.status}`, { status: response.status });
    return this.completeImage(id, imageId, { signal });
  }

  /**
   * Announce an image. Then send the file with the form in `upload`, and call `completeImage`.
   * @param {string} id
   * @param {{ name: string, contentType: string, bytes: number, sha256?: string }} image
   * @param {Abortable} [options]
   * @returns {Promise<Api.ImageWithUpload>}
   */
  createImage(id, image, { signal } = {}) {
    return this.#calls.call("POST", path(id, "images"), { body: image, signal });
  }

  /**
   * Let the API check what was uploaded. Rejects with Refused if it is no image that a project takes.
   * @param {string} id
   * @param {string} imageId
   * @param {Abortable} [options]
   * @returns {Promise<Api.ImageDetail>}
   */
  completeImage(id, imageId, { signal } = {}) {
    return this.#calls.call("POST", path(id, `images/${encodeURIComponent(imageId)}/complete`), { repeatable: true, signal });
  }

  /**
   * @param {string} id
   * @param {string} imageId
   * @param {Abortable} [options]
   * @returns {Promise<Api.ImageDetail>}
   */
  image(id, imageId, { signal } = {}) {
    return this.#calls.call("GET", path(id, `images/${encodeURIComponent(imageId)}`), { repeatable: true, signal });
  }

  /**
   * Return one page of the project's images, newest first.
   * @param {string} id
   * @param {Page} [page]
   * @returns {Promise<Api.ImageList>}
   */
  images(id, { signal, ...page } = {}) {
    return this.#calls.call("GET", path(id, "images"), { query: page, repeatable: true, signal });
  }

  // ---- renders -------------------------------------------------------------------------------------------------------

  /**
   * Render the project to an MP4 file, as it is now or as it was at a revision. Follow, cancel and resume its job.
   * @param {string} id
   * @param {{ revision?: number, quality?: "draft" | "standard" | "high" }} [render]
   * @param {{ idempotencyKey?: string } & Abortable} [options]
   * @returns {Promise<Api.RenderDetail>}
   */
  createRender(id, render = {}, options = {}) {
    return create(this.#calls, path(id, "renders"), render, options);
  }

  /**
   * Return a render with its progress; when it has completed, with the URL of its file.
   * @param {string} id
   * @param {string} renderId
   * @param {Abortable} [options]
   * @returns {Promise<Api.RenderDetail>}
   */
  render(id, renderId, { signal } = {}) {
    return this.#calls.call("GET", path(id, `renders/${encodeURIComponent(renderId)}`), { repeatable: true, signal });
  }

  /**
   * Return one page of the project's renders, newest first.
   * @param {string} id
   * @param {Page} [page]
   * @returns {Promise<Api.RenderList>}
   */
  renders(id, { signal, ...page } = {}) {
    return this.#calls.call("GET", path(id, "renders"), { query: page, repeatable: true, signal });
  }
}

/**
 * @param {string} id
 * @param {string} [part]
 */
function path(id, part) {
  return `/projects/${encodeURIComponent(id)}${part ? `/${part}` : ""}`;
}
