/** Draw one frame of a scene, and contain its errors. Scenes do not import this file. */

import { Component, createContext, h } from "preact";
import { ConfigContext, FrameContext } from "./frames.js";

/** What the project has besides scenes: images (id → URL, or null until the image has arrived) and components (name → function). */
export const AssetsContext = createContext({ images: new Map(), components: new Map() });

/**
 * Return the element that draws a scene.
 *
 * @param {object} shown
 * @param {Function} shown.scene the default export of the scene's module
 * @param {number} shown.frame the frame of the scene, from 0, as the film counts
 * @param {{ width: number, height: number, fps: number }} shown.format
 * @param {string} shown.id
 * @param {number} shown.durationInFrames frames that the scene has in the film
 * @param {number} [shown.playbackRate] at 2 the scene's own time passes twice as fast
 * @param {object} [shown.props]
 * @param {{ images: Map<string, string | null>, components: Map<string, Function> }} shown.assets
 */
export function drawing({ scene, frame, format, id, durationInFrames, playbackRate = 1, props = {}, assets }) {
  const config = { ...format, id, durationInFrames: Math.max(1, Math.round(durationInFrames * playbackRate)) };
  const timed = h(FrameContext.Provider, { value: frame * playbackRate }, h(scene, props));
  return h(AssetsContext.Provider, { value: assets }, h(ConfigContext.Provider, { value: config }, timed));
}

/** Draws `fallback(error)` instead of its children once one of them has thrown. */
export class Contained extends Component {
  constructor(props) {
    super(props);
    this.state = { error: null };
  }

  componentDidCatch(error) {
    this.props.onError(error);
    this.setState({ error });
  }

  render({ children, fallback }, { error }) {
    return error === null ? children : fallback(error);
  }
}
