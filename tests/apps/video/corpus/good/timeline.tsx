import { AbsoluteFill, Series, useCurrentFrame, interpolate } from "@millrace/scene";

const STEPS = ["Plan", "Build", "Launch"] as const;

const Step = ({ name }: { name: (typeof STEPS)[number] }) => {
  const frame = useCurrentFrame();
  const x = interpolate(frame, [0, 12], [200, 0], { extrapolateRight: "clamp" });
  return <h2 style={{ fontSize: 140, transform: `translateX(${x}px)` }}>{name}</h2>;
};

export default function Timeline({ tint = "#0ea5e9" }) {
  return (
    <AbsoluteFill style={{ backgroundColor: tint }}>
      <Series>
        {STEPS.map((name) => (
          <Series.Sequence key={name} durationInFrames={30}>
            <Step name={name} />
          </Series.Sequence>
        ))}
      </Series>
    </AbsoluteFill>
  );
}
