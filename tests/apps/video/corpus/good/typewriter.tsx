import { AbsoluteFill, measureText, useCurrentFrame } from "@millrace/scene";

export default function Typewriter({ text = "Hello, world 👋 – grüße, привет, γειά" }: { text?: string }) {
  const frame = useCurrentFrame();
  const letters = [...text];
  const shown = letters.slice(0, Math.floor(frame / 2)).join("");
  const { width } = measureText({ text: shown, fontSize: 64 });
  return (
    <AbsoluteFill style={{ justifyContent: "center", paddingLeft: 80 }}>
      <code style={{ fontSize: 64 }}>{shown || "\u00a0"}</code>
      {frame % 30 < 15 && <i style={{ position: "absolute", left: 80 + width, width: 4, height: 64, background: "black" }} />}
    </AbsoluteFill>
  );
}
