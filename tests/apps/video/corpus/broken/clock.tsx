import { AbsoluteFill } from "@millrace/scene";

export default function Page({ text = "one" }) {
  const seconds = (Date.now() % 60_000) / 1000;
  const later = new Date();
  return <AbsoluteFill>{text + seconds + later.getHours()}</AbsoluteFill>;
}
// fault: lint no-global 4:20
// fault: lint no-global 5:21
