import { AbsoluteFill, interpolate, useCurrentFrame } from "@millrace/scene";

export default function Page({ text = "one" }) {
  const frame = useCurrentFrame();
  const opacity = interpolate(frame, [0, 20], [0, 1, 1]);
  return <AbsoluteFill style={{ opacity }}>{text}</AbsoluteFill>;
}
// fault: runtime exception 5:19
