/** What a scene knows about its time, and the elements that give their children another time. */

import { createContext, h, toChildArray } from "preact";
import { useContext, useMemo } from "preact/hooks";

export const FrameContext = createContext(0);
export const ConfigContext = createContext({ width: 1280, height: 720, fps: 30, durationInFrames: 90, id: "scene" });

/** Return the frame that is drawn, counted from 0 at the start of the scene or of the Sequence around the caller. */
export const useCurrentFrame = () => useContext(FrameContext);

/** Return width, height, fps, durationInFrames and id: of the scene or of the Sequence around the caller. */
export const useVideoConfig = () => useContext(ConfigContext);

const FILL = { position: "absolute", top: 0, left: 0, right: 0, bottom: 0, width: "100%", height: "100%", display: "flex", flexDirection: "column" };

/** A box that fills the picture, or the positioned box around it. */
export const AbsoluteFill = ({ style, children, ...rest }) => h("div", { ...rest, style: { ...FILL, ...style } }, children);

function checkFrames(element, name, value, least) {
  if (typeof value !== "number" || Number.isNaN(value) || value < least) {
    throw new TypeError(`${element}: ${name} must be a number of frames from ${least}, and it is ${String(value)}`);
  }
}

function Timed({ frame, config, layout, style, children }) {
  const body = h(FrameContext.Provider, { value: frame }, h(ConfigContext.Provider, { value: config }, children));
  return layout === "none" ? body : h(AbsoluteFill, { style }, body);
}

/** Show the children from the frame `from`, for `durationInFrames` frames; their frame counts from 0. */
export function Sequence({ from = 0, durationInFrames = Infinity, layout = "absolute-fill", style, children }) {
  checkFrames("Sequence", "from", from, -Infinity);
  checkFrames("Sequence", "durationInFrames", durationInFrames, 0);
  const frame = useCurrentFrame();
  const config = useVideoConfig();
  const length = Math.min(durationInFrames, config.durationInFrames - from);
  const inner = useMemo(() => ({ ...config, durationInFrames: length }), [config, length]);
  if (frame < from || frame >= from + length) return null;
  return h(Timed, { frame: frame - from, config: inner, layout, style }, children);
}

/** Show its children, which are elements Series.Sequence, one after the other. */
export function Series({ children }) {
  let from = 0;
  return toChildArray(children).map((child, index) => {
    if (child?.type !== Series.Sequence) throw new TypeError("Series: its children must be elements Series.Sequence");
    const { durationInFrames, offset = 0, ...rest } = child.props;
    checkFrames("Series.Sequence", "durationInFrames", durationInFrames, 0);
    checkFrames("Series.Sequence", "offset", offset, -Infinity);
    const start = from + offset;
    from = start + durationInFrames;
    return h(Sequence, { key: child.key ?? index, ...rest, from: start, durationInFrames });
  });
}
Series.Sequence = () => {
  throw new TypeError("Series.Sequence: it must be a child of a Series");
};

/** Repeat the children every `durationInFrames` frames, `times` times. */
export function Loop({ durationInFrames, times = Infinity, layout = "absolute-fill", style, children }) {
  checkFrames("Loop", "durationInFrames", durationInFrames, 1);
  checkFrames("Loop", "times", times, 0);
  const frame = useCurrentFrame();
  const config = useVideoConfig();
  const inner = useMemo(() => ({ ...config, durationInFrames }), [config, durationInFrames]);
  if (frame < 0 || frame >= durationInFrames * times) return null;
  return h(Timed, { frame: frame % durationInFrames, config: inner, layout, style }, children);
}

/** Draw the children as they are at one frame. */
export function Freeze({ frame, children }) {
  checkFrames("Freeze", "frame", frame, -Infinity);
  return h(FrameContext.Provider, { value: frame }, children);
}
