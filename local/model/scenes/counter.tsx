import { AbsoluteFill, Easing, interpolate, useCurrentFrame, useVideoConfig } from "@millrace/scene";

export default function Scene({ title = "{{title}}", to = 1000, suffix = "", accent = "{{accent}}", background = "#111827" }) {
  const frame = useCurrentFrame();
  const { durationInFrames } = useVideoConfig();
  const end = Math.max(2, durationInFrames - 20);
  const value = interpolate(frame, [0, end], [0, to], { easing: Easing.out(Easing.cubic), extrapolateRight: "clamp" });
  return (
    <AbsoluteFill style={{ background, alignItems: "center", justifyContent: "center" }}>
      <div style={{ color: accent, fontSize: 160, fontWeight: 700 }}>{Math.round(value)}{suffix}</div>
      <div style={{ color: "#e5e7eb", fontSize: 48 }}>{title}</div>
    </AbsoluteFill>
  );
}
