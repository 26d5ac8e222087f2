import { AbsoluteFill } from "@millrace/scene";

export default function Page({ text = "one" }) {
  const size = base * 2;
  const base = 40;
  return <AbsoluteFill style={{ fontSize: size }}>{text}</AbsoluteFill>;
}
// fault: name used-before-its-declaration 4:16
