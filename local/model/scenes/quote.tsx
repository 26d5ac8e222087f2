import { AbsoluteFill, interpolate, useCurrentFrame } from "@millrace/scene";

export default function Scene({ title = "{{title}}", author = "{{subtitle}}", accent = "{{accent}}", background = "#fff7ed" }) {
  const frame = useCurrentFrame();
  const words = title.split(" ");
  return (
    <AbsoluteFill style={{ background, alignItems: "center", justifyContent: "center", padding: 96 }}>
      <div style={{ width: 96, height: 12, background: accent, marginBottom: 40 }} />
      <div style={{ display: "flex", flexWrap: "wrap", justifyContent: "center" }}>
        {words.map((word, index) => {
          const shown = interpolate(frame, [index * 4, index * 4 + 10], [0, 1], { extrapolateLeft: "clamp", extrapolateRight: "clamp" });
          return <span key={index} style={{ color: "#1c1917", fontSize: 64, margin: 10, opacity: shown }}>{word}</span>;
        })}
      </div>
      <div style={{ color: "#78716c", fontSize: 36, marginTop: 40 }}>{author}</div>
    </AbsoluteFill>
  );
}
