import { AbsoluteFill, spring, useCurrentFrame } from "@millrace/scene";

export default function Title({ title = "Hello" }) {
  const frame = useCurrentFrame();
  const shown = spring({ frame, fps, config: { damping: 12 } });
  return <AbsoluteFill style={{ opacity: shown }}>{title}</AbsoluteFill>;
}
// fault: name undefined-name 5:33
