import { AbsoluteFill, interpolate, spring, useCurrentFrame, useVideoConfig } from "@millrace/scene";

export default function Scene({ title = "{{title}}", subtitle = "{{subtitle}}", accent = "{{accent}}", background = "#0b1020" }) {
  const frame = useCurrentFrame();
  const { fps, durationInFrames } = useVideoConfig();
  const rise = spring({ frame, fps, config: { damping: 14 } });
  const leave = interpolate(frame, [durationInFrames - 12, durationInFrames - 1], [1, 0], { extrapolateLeft: "clamp", extrapolateRight: "clamp" });
  const line = interpolate(frame, [8, 30], [0, 320], { extrapolateLeft: "clamp", extrapolateRight: "clamp" });
  return (
    <AbsoluteFill style={{ background, alignItems: "center", justifyContent: "center", opacity: leave }}>
      <div style={{ color: "#ffffff", fontSize: 96, fontWeight: 700, transform: `translateY(${(1 - rise) * 60}px)`, opacity: rise }}>{title}</div>
      <div style={{ width: line, height: 8, background: accent, margin: 24, borderRadius: 4 }} />
      <div style={{ color: "#cbd5e1", fontSize: 40, opacity: rise }}>{subtitle}</div>
    </AbsoluteFill>
  );
}
