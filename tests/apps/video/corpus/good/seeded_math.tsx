import { AbsoluteFill, useCurrentFrame } from "@millrace/scene";

// Math.random gives the same numbers in every drawing.
export default function Noise({ amount = 40 }) {
  const frame = useCurrentFrame();
  const heights: number[] = [];
  for (let i = 0; i < amount; i++) {
    heights.push(20 + Math.random() * 100 + 10 * Math.sin((frame + i) / 6));
  }
  return (
    <AbsoluteFill style={{ flexDirection: "row", alignItems: "center", gap: 4 }}>
      {heights.map((height, i) => (
        <b key={i} style={{ width: 16, height, background: `hsl(${i * 9} 80% 60%)` }} />
      ))}
    </AbsoluteFill>
  );
}
