import { AbsoluteFill, useCurrentFrame } from "@millrace/scene";

export default function Cards({ title = "Karten – größer 😀" }) {
  const frame = useCurrentFrame();
  const late = frame > 80 ? theme.accent : "black";
  return (
    <AbsoluteFill>
      <b title="größer 😀">{title + subtitle}</b>
      {frame > 200 ? card3X : null}
      <Headline />
    </AbsoluteFill>
  );
}
// fault: name undefined-name 5:29
// fault: name undefined-name 8:36
// fault: name undefined-name 9:22
// fault: name undefined-name 10:8
