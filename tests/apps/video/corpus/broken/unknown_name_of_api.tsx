import { AbsoluteFill, TransitionSeries } from "remotion";

export default function Page({ text = "one" }) {
  return (
    <AbsoluteFill>
      <TransitionSeries>{text}</TransitionSeries>
    </AbsoluteFill>
  );
}
// fault: lint import-name 1:24
