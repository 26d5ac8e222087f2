import { AbsoluteFill, interpolate, useCurrentFrame } from "@millrace/scene";

export default function Logo({ from = "#6366f1", to = "#ec4899" }) {
  const frame = useCurrentFrame();
  const length = 600;
  return (
    <AbsoluteFill style={{ alignItems: "center", justifyContent: "center" }}>
      <svg xmlns="http://www.w3.org/2000/svg" width={400} height={400} viewBox="0 0 200 200">
        <defs>
          <linearGradient id="fade" x1="0" y1="0" x2="1" y2="1">
            <stop offset="0%" stopColor={from} />
            <stop offset="100%" stopColor={to} />
          </linearGradient>
        </defs>
        <circle
          cx={100}
          cy={100}
          r={90}
          fill="none"
          stroke="url(#fade)"
          strokeWidth={12}
          strokeLinecap="round"
          strokeDasharray={length}
          strokeDashoffset={interpolate(frame, [0, 45], [length, 0], { extrapolateRight: "clamp" })}
        />
      </svg>
    </AbsoluteFill>
  );
}
