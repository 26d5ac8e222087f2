import { AbsoluteFill } from "@millrace/scene";

const data = fetch("https://example.com/data.json").then((r) => r.json());

export default function Page({ text = "one" }) {
  return <AbsoluteFill>{text + String(data)}</AbsoluteFill>;
}
// fault: lint no-global 3:14
// fault: lint no-url 3:20
