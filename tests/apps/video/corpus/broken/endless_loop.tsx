import { AbsoluteFill, useCurrentFrame } from "@millrace/scene";

export default function Page({ step = 0 }) {
  const frame = useCurrentFrame();
  const lines: number[] = [];
  for (const each of [1, 2, 3]) lines.push(each);
  let y = 0;
  while (y < frame + 100) {
    y += step;
  }
  return <AbsoluteFill>{lines.join(" ") + y}</AbsoluteFill>;
}
// fault: runtime too-slow 8:3
