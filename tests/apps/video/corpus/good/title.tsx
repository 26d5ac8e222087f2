import { AbsoluteFill, interpolate, spring, useCurrentFrame, useVideoConfig } from "@millrace/scene";

type Props = { title?: string; subtitle?: string; accent?: string };

export default function Title({ title = "Tidewater", subtitle = "Ship on the tide", accent = "#1d4ed8" }: Props) {
  const frame = useCurrentFrame();
  const { fps, durationInFrames } = useVideoConfig();
  const rise = spring({ frame, fps, config: { damping: 14 } });
  const leave = interpolate(frame, [durationInFrames - 15, durationInFrames - 1], [1, 0], { extrapolateLeft: "clamp" });
  return (
    <AbsoluteFill style={{ backgroundColor: "#0b1020", alignItems: "center", justifyContent: "center", opacity: leave }}>
      <h1 style={{ color: accent, fontSize: 120, margin: 0, transform: `translateY(${(1 - rise) * 80}px)` }}>{title}</h1>
      <p style={{ color: "white", fontSize: 48, opacity: interpolate(frame, [20, 40], [0, 1], { extrapolateLeft: "clamp", extrapolateRight: "clamp" }) }}>
        {subtitle}
      </p>
    </AbsoluteFill>
  );
}
