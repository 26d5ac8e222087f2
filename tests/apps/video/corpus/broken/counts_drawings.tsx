import { AbsoluteFill } from "@millrace/scene";

const COLORS = ["red", "green"];
let drawings = 0;

export default function Page({ text = "one" }) {
  drawings += 1;
  return <AbsoluteFill style={{ color: COLORS[drawings % 2] }}>{text}</AbsoluteFill>;
}
// fault: runtime not-a-function-of-the-frame 4:1
