import { AbsoluteFill, component } from "@millrace/scene";

const Badge = component("Badge");

export default function WithBadge({ text = "New" }) {
  return (
    <AbsoluteFill style={{ alignItems: "center", justifyContent: "center" }}>
      <Badge text={text} />
      <Badge text={`${text}!`} color="tomato" />
    </AbsoluteFill>
  );
}
