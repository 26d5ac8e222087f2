import { AbsoluteFill, Sequence, interpolate, useCurrentFrame } from "@millrace/scene";

function Point({ text, accent }) {
  const frame = useCurrentFrame();
  const shown = interpolate(frame, [0, 12], [0, 1], { extrapolateRight: "clamp" });
  return (
    <div style={{ display: "flex", alignItems: "center", opacity: shown, transform: `translateX(${(1 - shown) * -40}px)`, margin: 16 }}>
      <div style={{ width: 24, height: 24, borderRadius: 12, background: accent, marginRight: 24 }} />
      <div style={{ color: "#0f172a", fontSize: 48 }}>{text}</div>
    </div>
  );
}

export default function Scene({ title = "{{title}}", points = ["{{point1}}", "{{point2}}", "{{point3}}"], accent = "{{accent}}", background = "#f8fafc" }) {
  return (
    <AbsoluteFill style={{ background, justifyContent: "center", padding: 96 }}>
      <div style={{ color: "#0f172a", fontSize: 72, fontWeight: 700, marginBottom: 32 }}>{title}</div>
      {points.map((text, index) => (
        <Sequence key={index} from={6 + index * 10} layout="none">
          <Point text={text} accent={accent} />
        </Sequence>
      ))}
    </AbsoluteFill>
  );
}
