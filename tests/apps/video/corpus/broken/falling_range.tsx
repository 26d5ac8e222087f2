import { AbsoluteFill, interpolate, Sequence, useCurrentFrame } from "@millrace/scene";

const Fade = ({ children }: { children: string }) => {
  const frame = useCurrentFrame();
  return <p style={{ opacity: interpolate(frame, [30, 10], [0, 1]) }}>{children}</p>;
};

export default function Page({ text = "late" }) {
  return (
    <AbsoluteFill>
      <Sequence from={60}>
        <Fade>{text}</Fade>
      </Sequence>
    </AbsoluteFill>
  );
}
// fault: runtime exception 5:31
