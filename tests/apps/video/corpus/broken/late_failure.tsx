import { AbsoluteFill, useCurrentFrame } from "@millrace/scene";

const WORDS = [{ text: "one" }, { text: "two" }, { text: "three" }];

export default function Page({ color = "black" }) {
  const word = WORDS[Math.floor(useCurrentFrame() / 20)];
  return <AbsoluteFill style={{ color }}>{word.text}</AbsoluteFill>;
}
// fault: runtime exception 7:48
