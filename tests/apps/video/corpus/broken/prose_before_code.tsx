Here is your scene:

import { AbsoluteFill } from "@millrace/scene";

export default function Page({ text = "one" }) {
  return <AbsoluteFill>{text}</AbsoluteFill>;
}
// fault: syntax syntax 1:6
