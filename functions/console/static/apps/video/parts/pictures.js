/** The pictures of a project: read for the stage and the chat, made smaller, and uploaded. */

/** @import { Millrace } from "../../../millrace.js" */

const LONGEST_SIDE = 2048;
const QUALITY = 0.92;
/** What the browser writes; any other picture becomes a PNG. */
const WRITTEN = new Set(["image/png", "image/jpeg", "image/webp"]);

/** The pictures of one project, each read once. */
export class Pictures {
  #millrace;
  #projectId;
  /** @type {Map<string, Promise<Blob>>} */
  #blobs = new Map();
  /** @type {Map<string, string>} */
  #urls = new Map();

  /**
   * @param {Millrace} millrace
   * @param {string} projectId
   */
  constructor(millrace, projectId) {
    this.#millrace = millrace;
    this.#projectId = projectId;
  }

  /**
   * Upload a picture from this computer: smaller if it is large, and without what a camera has written into it.
   * @param {File} file
   */
  async upload(file) {
    const small = await smaller(file);
    const image = await this.#millrace.projects.upload(this.#projectId, small, nameOf(file));
    this.#blobs.set(image.imageId, Promise.resolve(small));
    return image;
  }

  /**
   * @param {string} id
   * @returns {Promise<Blob>}
   */
  read(id) {
    const known = this.#blobs.get(id);
    if (known) return known;
    const reading = this.#read(id);
    this.#blobs.set(id, reading);
    reading.catch(() => this.#blobs.delete(id)); // read it again the next time
    return reading;
  }

  /**
   * Return an address of the picture for this page.
   * @param {string} id
   */
  async url(id) {
    const known = this.#urls.get(id);
    if (known) return known;
    const made = URL.createObjectURL(await this.read(id));
    this.#urls.set(id, made);
    return made;
  }

  stop() {
    for (const url of this.#urls.values()) URL.revokeObjectURL(url);
  }

  /** @param {string} id */
  async #read(id) {
    const { contentUrl } = await this.#millrace.projects.image(this.#projectId, id);
    if (contentUrl === null) throw new Error("the image is not ready");
    const response = await fetch(contentUrl, { credentials: "omit" });
    if (!response.ok) throw new Error(`the image could not be read: status ${response.status}`);
    return response.blob();
  }
}

/**
 * @param {File} file
 * @returns {Promise<Blob>}
 */
async function smaller(file) {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Error(`“${file.name}” cannot be read as an image; choose a PNG, JPEG, WebP or GIF`);
  });
  const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const type = WRITTEN.has(file.type) ? file.type : "image/png";
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error(`“${file.name}” could not be made smaller`))), type, QUALITY);
  });
}

/** @param {File} file */
function nameOf({ name }) {
  // eslint-disable-next-line no-control-regex
  return name.replaceAll(/[\u0000-\u001f\u007f/\\]/g, "").slice(0, 200) || "image";
}
