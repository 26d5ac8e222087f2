x
import { AbsoluteFill } from "@millrace/scene";

export default function Page({ text = "one" }) {
  return <AbsoluteFill>{text}</AbsoluteFill>;
}
// fault: name undefined-name 1:1
