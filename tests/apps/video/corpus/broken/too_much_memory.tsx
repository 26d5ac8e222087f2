import { AbsoluteFill } from "@millrace/scene";

const trails: number[][] = [];

export default function Trails({ text = "trails" }) {
  for (let i = 0; i < 1e9; i++) {
    trails.push(new Array(100_000).fill(i));
  }
  return <AbsoluteFill>{text}</AbsoluteFill>;
}
// fault: runtime too-much-memory 5:1
