import { AbsoluteFill, Img, spring, useCurrentFrame, useVideoConfig } from "@millrace/scene";

export default function Scene({ title = "{{title}}", accent = "{{accent}}", background = "#0b1020" }) {
  const frame = useCurrentFrame();
  const { fps } = useVideoConfig();
  const grown = spring({ frame, fps, config: { damping: 12 } });
  return (
    <AbsoluteFill style={{ background, alignItems: "center", justifyContent: "center" }}>
      <div style={{ transform: `scale(${grown})`, border: `8px solid ${accent}`, borderRadius: 24, padding: 24 }}>
        <Img image="{{image}}" style={{ width: 320, height: 320, objectFit: "contain" }} />
      </div>
      <div style={{ color: "#ffffff", fontSize: 64, marginTop: 40, opacity: grown }}>{title}</div>
    </AbsoluteFill>
  );
}
