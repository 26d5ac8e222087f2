import { AbsoluteFill, useCurrentFrame } from "@millrace/scene";

export default function Page({ text = "one" }) {
  const frame = useCurrentFrame();
  return (
    <AbsoluteFill style={{ opacity: frame
// fault: syntax syntax 6:42
