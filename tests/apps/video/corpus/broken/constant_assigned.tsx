import { AbsoluteFill, useCurrentFrame } from "@millrace/scene";

export default function Page({ text = "one" }) {
  const size = 40;
  if (useCurrentFrame() > 30) size = 60;
  return <AbsoluteFill style={{ fontSize: size }}>{text}</AbsoluteFill>;
}
// fault: runtime exception 5:31
