import { AbsoluteFill } from "@millrace/scene";

export default function Page({ text = "one" }) {
  return (
    <AbsoluteFill>
      <div style={{ fontSize: 40 }}>
        {text}
    </AbsoluteFill>
  );
}
// fault: syntax syntax 8:20
