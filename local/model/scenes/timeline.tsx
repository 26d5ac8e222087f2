import { AbsoluteFill, interpolate, useCurrentFrame, useVideoConfig } from "@millrace/scene";

export default function Scene({ title = "{{title}}", points = ["{{point1}}", "{{point2}}", "{{point3}}"], accent = "{{accent}}", background = "#ffffff" }) {
  const frame = useCurrentFrame();
  const { width, durationInFrames } = useVideoConfig();
  const length = width * 0.8;
  const done = interpolate(frame, [0, Math.max(2, durationInFrames * 0.7)], [0, 1], { extrapolateRight: "clamp" });
  return (
    <AbsoluteFill style={{ background, alignItems: "center", justifyContent: "center" }}>
      <div style={{ color: "#0f172a", fontSize: 64, fontWeight: 700, marginBottom: 80 }}>{title}</div>
      <div style={{ width: length, height: 8, background: "#e2e8f0" }}>
        <div style={{ width: length * done, height: 8, background: accent }} />
      </div>
      <div style={{ display: "flex", justifyContent: "space-between", width: length, marginTop: 24 }}>
        {points.map((text, index) => (
          <div key={index} style={{ color: "#334155", fontSize: 32, opacity: done >= index / points.length ? 1 : 0.2 }}>{text}</div>
        ))}
      </div>
    </AbsoluteFill>
  );
}
