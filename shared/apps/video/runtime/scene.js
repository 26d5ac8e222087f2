/**
 * The API that scenes import as "@millrace/scene". A scene is a function of the frame: whatever it draws depends on
 * useCurrentFrame(), useVideoConfig() and its props only.
 */

import "preact/compat"; // React's names of properties, such as strokeWidth and onClick
import "./styles.js";
import { h } from "preact";
import { useContext } from "preact/hooks";
import { AssetsContext } from "./player.js";

export { AbsoluteFill, Freeze, Loop, Sequence, Series, useCurrentFrame, useVideoConfig } from "./frames.js";
export { Easing, interpolate, interpolateColors, measureSpring, random, spring } from "./motion.js";

/** Show an image of the project. `image` is its id; until the image has arrived, its place is empty. */
export function Img({ image, src, style, ...rest }) {
  const { images } = useContext(AssetsContext);
  if (src !== undefined) throw new TypeError('Img: it shows images of the project only: write image="img_…" instead of src');
  if (!images.has(image)) throw new TypeError(`Img: the project has no image ${JSON.stringify(image)}`);
  const url = images.get(image);
  return url === null ? h("div", { ...rest, style }) : h("img", { alt: "", ...rest, src: url, style });
}

/** Return the component of the project that has this name, such as `const Counter = component("Counter")`. */
export function component(name) {
  const Named = (props) => {
    const { components } = useContext(AssetsContext);
    const Found = components.get(name);
    if (Found === undefined) throw new TypeError(`component: the project has no component ${JSON.stringify(name)}`);
    return h(Found, props);
  };
  Named.displayName = name;
  return Named;
}

/** Return the width and height of a text of one line, in pixels. */
export function measureText({ text, fontFamily = "Inter", fontSize, fontWeight = 400, letterSpacing = 0 }) {
  if (typeof fontSize !== "number" || !(fontSize > 0)) throw new TypeError("measureText: fontSize must be a positive number");
  const characters = [...String(text)].length;
  const spacing = Number.parseFloat(letterSpacing) * characters || 0;
  const context = globalThis.document?.createElement("canvas").getContext("2d");
  if (!context) return { width: 0.55 * fontSize * characters + spacing, height: 1.2 * fontSize };
  context.font = `${fontWeight} ${fontSize}px ${fontFamily}`;
  return { width: context.measureText(String(text)).width + spacing, height: 1.2 * fontSize };
}
