import { Sequence } from "@millrace/scene";

export default function Page({ text = "one" }) {
  return <Sequence from={5000}>{text}</Sequence>;
}
// fault: runtime empty-scene 3:1
