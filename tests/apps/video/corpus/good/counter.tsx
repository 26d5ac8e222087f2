import { AbsoluteFill, Easing, interpolate, useCurrentFrame } from "@millrace/scene";

const format = (value: number): string => value.toLocaleString("en-US");

const Counter = ({ to = 12500, unit = "users" }) => {
  const frame = useCurrentFrame();
  const value = interpolate(frame, [0, 60], [0, to], { easing: Easing.out(Easing.cubic), extrapolateRight: "clamp" });
  return (
    <AbsoluteFill style={{ alignItems: "center", justifyContent: "center" }}>
      <strong style={{ fontSize: 200, fontVariantNumeric: "tabular-nums" }}>{format(Math.round(value))}</strong>
      <em style={{ fontSize: 60 }}>{unit}</em>
    </AbsoluteFill>
  );
};

export default Counter;
