import { AbsoluteFill, component } from "@millrace/scene";

const Chart = component("Chart");

export default function Page({ text = "one" }) {
  return (
    <AbsoluteFill>
      <Chart text={text} />
    </AbsoluteFill>
  );
}
// fault: lint unknown-component 3:25
