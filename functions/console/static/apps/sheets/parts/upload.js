/** Sends a file to the URL of an upload and tells how far it is. */

import { Unreachable } from "../../../millrace.js";

/** Headers that the browser sets by itself and that a script may not set. */
const OF_THE_BROWSER = new Set(["content-length", "host"]);

/**
 * @param {{ url: string, method: string, headers: Record<string, string> }} target
 * @param {Blob} file
 * @param {(share: number) => void} onProgress gets the share that was sent, 0–1
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
export function uploadFile({ url, method, headers }, file, onProgress, signal) {
  return new Promise((resolve, reject) => {
    // fetch does not tell how much of a body was sent.
    const request = new XMLHttpRequest();
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) if (!OF_THE_BROWSER.has(name.toLowerCase())) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0));
    request.addEventListener("load", () =>
      request.status < 300 ? resolve() : reject(new Unreachable(`the upload was refused with the status ${request.status}`, { status: request.status })));
    request.addEventListener("error", () => reject(new Unreachable("the upload broke off; check the network and send the file again")));
    request.addEventListener("abort", () => reject(signal?.reason));
    signal?.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}
