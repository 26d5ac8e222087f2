import { AbsoluteFill, interpolate, useCurrentFrame } from "@millrace/scene";

export default function Scene({ title = "{{title}}", subtitle = "{{subtitle}}", accent = "{{accent}}", background = "#f1f5f9" }) {
  const frame = useCurrentFrame();
  const slide = interpolate(frame, [0, 18], [100, 0], { extrapolateRight: "clamp" });
  return (
    <AbsoluteFill style={{ background, flexDirection: "row" }}>
      <div style={{ width: "50%", height: "100%", background: accent, transform: `translateX(${-slide}%)`, display: "flex", alignItems: "center", justifyContent: "center" }}>
        <div style={{ color: "#ffffff", fontSize: 72, fontWeight: 700, padding: 48 }}>{title}</div>
      </div>
      <div style={{ width: "50%", height: "100%", transform: `translateX(${slide}%)`, display: "flex", alignItems: "center", justifyContent: "center" }}>
        <div style={{ color: "#0f172a", fontSize: 44, padding: 48 }}>{subtitle}</div>
      </div>
    </AbsoluteFill>
  );
}
