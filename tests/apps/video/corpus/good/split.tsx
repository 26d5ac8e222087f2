import { AbsoluteFill, interpolateColors, useCurrentFrame, useVideoConfig } from "@millrace/scene";
import type { CSSProperties, ReactNode } from "react";

const half: CSSProperties = { flex: 1, display: "flex", alignItems: "center", justifyContent: "center", fontSize: 64 };

const Half = ({ color, children }: { color: string; children: ReactNode }) => (
  <div style={{ ...half, backgroundColor: color }}>{children}</div>
);

export default function Split({ left = "Before", right = "After" }) {
  const frame = useCurrentFrame();
  const { durationInFrames } = useVideoConfig();
  const color = interpolateColors(frame, [0, durationInFrames / 2, durationInFrames], ["#f00", "rgb(0 128 0 / 50%)", "hsl(240, 100%, 50%)"]);
  return (
    <AbsoluteFill style={{ flexDirection: "row" }}>
      <Half color={color}>{left}</Half>
      <Half color="white">{right}</Half>
    </AbsoluteFill>
  );
}
