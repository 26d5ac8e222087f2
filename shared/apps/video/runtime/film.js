/** The order of a project's scenes, the versions of them that have been loaded, and which of them plays at a frame. */

/**
 * @typedef {object} SceneMessage
 * @property {string} id
 * @property {string | number} version
 * @property {number} durationInFrames
 * @property {number} [playbackRate]
 * @property {object} [props]
 * @property {string} code
 */
/** @typedef {SceneMessage & { scene: Function | null, failure: string | null }} LoadedScene */
/** @typedef {{ id: string, version: string | number, durationInFrames: number, note?: string }} Entry */

export class Film {
  format = { width: 1280, height: 720, fps: 30 };
  /** @type {Entry[]} */
  entries = [];
  /** @type {Map<string, LoadedScene>} */
  #loaded = new Map();
  /** @type {Map<string, LoadedScene>} the version of each scene that was shown last */
  #last = new Map();

  /** @param {{ format: typeof this.format, scenes: Entry[] }} project */
  arrange(project) {
    this.format = project.format;
    this.entries = project.scenes;
  }

  /** @param {LoadedScene} loaded */
  add(loaded) {
    this.#loaded.set(`${loaded.id} ${loaded.version}`, loaded);
  }

  get durationInFrames() {
    return this.entries.reduce((frames, entry) => frames + entry.durationInFrames, 0);
  }

  /** Return the entry that plays at a frame of the film, and the frame of its scene; null if the film has no frames. */
  at(frame) {
    let start = 0;
    for (const entry of this.entries) {
      if (frame < start + entry.durationInFrames) return { entry, frame: frame - start };
      start += entry.durationInFrames;
    }
    return null;
  }

  /** Return the version that an entry names, or the version shown before if that has not been loaded; or null. */
  version(entry) {
    const wanted = this.#loaded.get(`${entry.id} ${entry.version}`);
    if (wanted) this.#last.set(entry.id, wanted);
    return wanted ?? this.#last.get(entry.id) ?? null;
  }
}
