import { AbsoluteFill, random, useCurrentFrame, useVideoConfig } from "@millrace/scene";
import { memo, useMemo } from "react";

const Dot = memo(({ x, y, size }: { x: number; y: number; size: number }) => (
  <div style={{ position: "absolute", left: x, top: y, width: size, height: size, borderRadius: "50%", background: "#38bdf8" }} />
));

export default function Particles({ count = 60, seed = "stars" }) {
  const frame = useCurrentFrame();
  const { width, height } = useVideoConfig();
  const dots = useMemo(
    () => Array.from({ length: count }, (_, i) => ({ x: random(`${seed}-x-${i}`) * width, y: random(`${seed}-y-${i}`) * height, size: 4 + random(i) * 8 })),
    [count, seed, width, height],
  );
  return (
    <AbsoluteFill style={{ background: "#020617" }}>
      {dots.map((dot, i) => (
        <Dot key={i} {...dot} y={(dot.y + frame * 2) % height} />
      ))}
    </AbsoluteFill>
  );
}
