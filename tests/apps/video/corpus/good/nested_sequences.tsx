import { AbsoluteFill, Sequence, useCurrentFrame, useVideoConfig } from "@millrace/scene";

const Clock = ({ label }: { label: string }) => {
  const frame = useCurrentFrame();
  const { durationInFrames } = useVideoConfig();
  return <div style={{ fontSize: 40 }}>{`${label} ${frame}/${durationInFrames}`}</div>;
};

export default function Nested({ label = "part" }) {
  return (
    <AbsoluteFill>
      <Clock label="all" />
      <Sequence from={10} durationInFrames={60} layout="none">
        <Clock label={label} />
        <Sequence from={20} layout="none">
          <Clock label={`${label} inner`} />
        </Sequence>
      </Sequence>
      <Sequence from={-5} layout="none">
        <Clock label="earlier" />
      </Sequence>
    </AbsoluteFill>
  );
}
