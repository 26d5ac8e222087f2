import { AbsoluteFill } from "@millrace/scene";

const depth = (n: number): number => depth(n + 1);

export default function Page({ text = "one" }) {
  return <AbsoluteFill style={{ top: depth(0) }}>{text}</AbsoluteFill>;
}
// fault: runtime endless-recursion 3:38
