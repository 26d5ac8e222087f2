import { AbsoluteFill, Freeze, Loop, useCurrentFrame } from "@millrace/scene";

const Pulse = () => {
  const frame = useCurrentFrame();
  return <div style={{ fontSize: 100, transform: `scale(${1 + Math.sin(frame / 5) / 10})` }}>●</div>;
};

export default function LoopAndFreeze({ beats = 3 }: { beats?: number }) {
  return (
    <AbsoluteFill>
      <Loop durationInFrames={20} times={beats}>
        <Pulse />
      </Loop>
      <Freeze frame={10}>
        <Pulse />
      </Freeze>
    </AbsoluteFill>
  );
}
