import { AbsoluteFill } from "@millrace/scene";

const data = await Promise.resolve(3);

export default function Page({ text = "one" }) {
  const more = import("./more");
  return <AbsoluteFill>{text + data + more}</AbsoluteFill>;
}
// fault: lint no-waiting 3:14
// fault: lint no-dynamic-import 6:16
