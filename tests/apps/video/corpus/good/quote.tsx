import { AbsoluteFill, interpolate, Sequence, useCurrentFrame } from "@millrace/scene";

function Words({ text }: { text: string }) {
  const frame = useCurrentFrame();
  const words = text.split(" ");
  return (
    <p style={{ fontSize: 72, lineHeight: 1.3 }}>
      {words.map((word, i) => (
        <span key={i} style={{ opacity: interpolate(frame - i * 4, [0, 8], [0, 1], { extrapolateLeft: "clamp", extrapolateRight: "clamp" }) }}>
          {word}{" "}
        </span>
      ))}
    </p>
  );
}

export default function Quote({ text = "Simple is hard.", author = "A person" }) {
  return (
    <AbsoluteFill style={{ padding: 120, justifyContent: "center", background: "linear-gradient(120deg, #fde68a, #fca5a5)" }}>
      <Words text={text} />
      <Sequence from={45} layout="none">
        <footer style={{ fontSize: 40 }}>&mdash; {author}</footer>
      </Sequence>
    </AbsoluteFill>
  );
}
