import { AbsoluteFill, spring, useCurrentFrame, useVideoConfig } from "@millrace/scene";

export default function Scene({ title = "{{title}}", values = [35, 60, 90], labels = ["Q1", "Q2", "Q3"], accent = "{{accent}}", background = "#0f172a" }) {
  const frame = useCurrentFrame();
  const { fps } = useVideoConfig();
  return (
    <AbsoluteFill style={{ background, alignItems: "center", justifyContent: "center" }}>
      <div style={{ color: "#ffffff", fontSize: 64, fontWeight: 700, marginBottom: 40 }}>{title}</div>
      <div style={{ display: "flex", alignItems: "flex-end", height: 360 }}>
        {values.map((value, index) => {
          const grown = spring({ frame: frame - index * 6, fps, config: { damping: 16 } });
          return (
            <div key={index} style={{ margin: 24, textAlign: "center" }}>
              <div style={{ width: 120, height: value * 3.2 * grown, background: accent, borderRadius: 12 }} />
              <div style={{ color: "#cbd5e1", fontSize: 32, marginTop: 12 }}>{labels[index]}</div>
            </div>
          );
        })}
      </div>
    </AbsoluteFill>
  );
}
