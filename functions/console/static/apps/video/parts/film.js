/** A film as the stage plays it: a project's scenes, with the drafts of a running job in their places. */

/** @import { Item, ProjectDetail } from "../../../../../../docs/api/types" */

/**
 * A scene of a film. `version` differs for everything that is drawn differently, and is the same for a draft and for the
 * scene that it becomes. `code` is null while the page does not have it.
 * @typedef {object} FilmScene
 * @property {string} id
 * @property {string} version
 * @property {string} name
 * @property {number} durationInFrames
 * @property {number} playbackRate
 * @property {Record<string, unknown>} props
 * @property {string | null} code
 * @property {readonly string[]} images the ids of the images that it shows
 * @property {boolean} draft
 */
/** @typedef {{ name: string, version: string, code: string | null }} FilmComponent */
/** @typedef {{ width: number, height: number, fps: number }} Format */
/** @typedef {{ format: Format, scenes: readonly FilmScene[], components: readonly FilmComponent[] }} Film */

/**
 * @param {ProjectDetail} project with its code
 * @returns {Film}
 */
export function filmOf({ format, scenes, components }) {
  return {
    format,
    scenes: scenes.map(({ sceneId, name, durationInFrames, playbackRate, digest, code }) => {
      const props = code?.props ?? {};
      const known = { id: sceneId, name, durationInFrames, playbackRate, props };
      return { ...known, version: versionOf(digest, known), code: code?.jsCode ?? null, images: code?.images ?? [], draft: false };
    }),
    components: components.map(({ name, digest, code }) => ({ name, version: digest, code: code?.jsCode ?? null })),
  };
}

/**
 * Return the film of a revision with what a job has built so far and not saved in it yet.
 * @param {Film} film
 * @param {readonly Item[]} items of the job
 * @param {number} revision
 * @returns {Film}
 */
export function withDrafts(film, items, revision) {
  const saved = new Set(items.filter(({ data }) => Number(data["revision"]) <= revision).map(({ key }) => key));
  const drafts = items.filter(({ key, data }) => key.startsWith("build-") && typeof data["jsCode"] === "string").map(({ data }) => data);
  return drafts.filter((draft) => !saved.has(keyOf(draft))).reduce(withDraft, film);
}

/**
 * Return the key of the item that tells that a draft is saved.
 * @param {Record<string, any>} draft
 */
function keyOf(draft) {
  return typeof draft["component"] === "string" ? `component-${draft["component"]}` : `scene-${draft["sceneId"]}`;
}

/**
 * @param {Film} film
 * @param {Record<string, any>} draft
 * @returns {Film}
 */
function withDraft(film, draft) {
  if (typeof draft["component"] === "string") {
    const component = { name: draft["component"], version: draft["digest"], code: draft["jsCode"] };
    return { ...film, components: [...film.components.filter(({ name }) => name !== component.name), component] };
  }
  const { sceneId, name, durationInFrames, playbackRate, digest, jsCode, images } = draft;
  if (typeof sceneId !== "string" || draft["props"] === null) return film;
  const known = { id: sceneId, name, durationInFrames, playbackRate, props: draft["props"] };
  const scene = { ...known, version: versionOf(digest, known), code: jsCode, images, draft: true };
  if (film.scenes.some(({ id }) => id === sceneId)) {
    return { ...film, scenes: film.scenes.map((each) => (each.id !== sceneId || each.version === scene.version ? each : scene)) };
  }
  const index = Math.min(film.scenes.length, Math.max(0, draft["order"] - 1));
  return { ...film, scenes: [...film.scenes.slice(0, index), scene, ...film.scenes.slice(index)] };
}

/**
 * @param {string} digest of the scene's build
 * @param {{ durationInFrames: number, playbackRate: number, props: Record<string, unknown> }} scene
 */
function versionOf(digest, { durationInFrames, playbackRate, props }) {
  return `${digest} ${JSON.stringify([durationInFrames, playbackRate, sorted(props)])}`;
}

/**
 * Return the value with the names of objects in one order: the order in which a server writes them says nothing.
 * @param {unknown} value
 * @returns {unknown}
 */
function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)).map(([name, each]) => [name, sorted(each)]);
}

/** @param {Film} film */
export function lengthOf({ scenes }) {
  return scenes.reduce((frames, { durationInFrames }) => frames + durationInFrames, 0);
}

/**
 * Return the first frame of a scene; null if the film does not have the scene.
 * @param {Film} film
 * @param {string} sceneId
 */
export function startOf({ scenes }, sceneId) {
  const index = scenes.findIndex(({ id }) => id === sceneId);
  return index < 0 ? null : scenes.slice(0, index).reduce((frames, { durationInFrames }) => frames + durationInFrames, 0);
}

/**
 * Return the frame of the film in the middle of a scene; null if the film does not have the scene.
 * @param {Film} film
 * @param {string | undefined} sceneId
 */
export function middleOf(film, sceneId) {
  const scene = film.scenes.find(({ id }) => id === sceneId);
  const start = scene === undefined ? null : startOf(film, scene.id);
  return scene === undefined || start === null ? null : start + Math.floor(scene.durationInFrames / 2);
}

/**
 * Return the scene that plays at a frame of the film, and its number from 1; null behind the end.
 * @param {Film} film
 * @param {number} frame
 */
export function sceneAt({ scenes }, frame) {
  let start = 0;
  for (const [index, scene] of scenes.entries()) {
    start += scene.durationInFrames;
    if (frame < start) return { scene, number: index + 1 };
  }
  return null;
}
