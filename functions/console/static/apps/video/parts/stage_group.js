/**
 * The stages of a page. A browser may run them in one process, so a scene that does not let go of one stage holds them all.
 * So they load scenes one by one, all together: then it is known which scene holds them, and all are replaced without it.
 */

/** @import { FilmScene } from "./film.js" */
/** @import { StageFrame } from "./stage_frame.js" */

/** How many ticks a scene may take to load while its stage answers. */
const MOST_TICKS = 20;

export class StageGroup {
  /** @type {Set<StageFrame>} */
  #stages = new Set();
  /** The scene that is being loaded. @type {{ stage: StageFrame, scene: FilmScene, ticks: number } | null} */
  #loading = null;
  /** The stage that was told last to draw something. @type {StageFrame | null} */
  #drawing = null;
  /** The scenes that are left out, as `keyOf` names their versions. @type {Set<string>} */
  #leftOut = new Set();
  /** Whether the stages were replaced last without knowing which scene had held them. */
  #isUnknown = false;

  /** @param {StageFrame} stage */
  add(stage) {
    this.#stages.add(stage);
  }

  /** @param {StageFrame} stage */
  remove(stage) {
    this.#stages.delete(stage);
    if (this.#drawing === stage) this.#drawing = null;
    this.end(stage);
  }

  /**
   * Let a stage load a scene. Return false if another one is being loaded: `loadNext` of the stage is called behind that.
   * @param {StageFrame} stage
   * @param {FilmScene} scene
   */
  begin(stage, scene) {
    if (this.#loading !== null) return false;
    this.#loading = { stage, scene, ticks: 0 };
    return true;
  }

  /**
   * Return the scene that this stage is loading.
   * @param {StageFrame} stage
   */
  loadingOf(stage) {
    return this.#loading?.stage === stage ? this.#loading.scene : null;
  }

  /**
   * Note that a stage has loaded its scene, or never will.
   * @param {StageFrame} stage
   */
  end(stage) {
    if (this.#loading?.stage !== stage) return;
    this.#loading = null;
    for (const each of [...this.#stages].reverse()) each.loadNext(); // another stage comes first
  }

  /**
   * Note that a stage was told to draw something.
   * @param {StageFrame} stage
   */
  draws(stage) {
    this.#drawing = stage;
  }

  /**
   * Whether this version of a scene is left out.
   * @param {{ id: string, version: string }} scene
   */
  isLeftOut(scene) {
    return this.#leftOut.has(keyOf(scene));
  }

  /**
   * Show a scene again that was left out.
   * @param {string} id
   */
  takeBack(id) {
    for (const key of this.#leftOut) if (key.startsWith(`${id} `)) this.#leftOut.delete(key);
    this.#replaceAll();
  }

  /**
   * Leave out a scene that does not end to load although its stage answers.
   * @param {StageFrame} stage that answers
   */
  tick(stage) {
    if (this.#loading?.stage !== stage) return;
    this.#loading.ticks += 1;
    if (this.#loading.ticks >= MOST_TICKS) this.release();
  }

  /** Replace all stages, because one of them does not answer, without the scene that holds it. */
  release() {
    const held = this.#loading?.scene ?? this.#suspect();
    if (held !== null) {
      this.#leftOut.add(keyOf(held));
      for (const stage of this.#stages) stage.leaveOut(held);
    }
    this.#replaceAll();
  }

  /**
   * Return the scene that is probably being drawn. If nothing tells, none is left out the first time: the new stages get
   * the scenes one by one.
   */
  #suspect() {
    const stages = [...this.#stages];
    const drawing = stages.find(({ playing }) => playing)?.drawn() ?? this.#drawing?.drawn() ?? null;
    const found = drawing ?? (this.#isUnknown ? stages.map((stage) => stage.drawn()).find((scene) => scene !== null) ?? null : null);
    this.#isUnknown = found === null;
    return found;
  }

  /** A browser ends the process of the old frames when the last of them is gone, so all are closed before one is opened. */
  #replaceAll() {
    this.#loading = null;
    for (const stage of this.#stages) stage.close();
    for (const stage of this.#stages) stage.open();
  }
}

/** @param {{ id: string, version: string }} scene */
function keyOf({ id, version }) {
  return `${id} ${version}`;
}
