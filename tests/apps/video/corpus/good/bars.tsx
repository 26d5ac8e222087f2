import { AbsoluteFill, spring, useCurrentFrame, useVideoConfig } from "remotion";
import React from "react";

interface Bar {
  label: string;
  value: number;
}

const Column: React.FC<{ bar: Bar; largest: number; index: number }> = ({ bar, largest, index }) => {
  const frame = useCurrentFrame();
  const { fps, height } = useVideoConfig();
  const grown = spring({ frame, fps, delay: index * 5, config: { damping: 200 } });
  return (
    <div style={{ display: "flex", flexDirection: "column", justifyContent: "flex-end", alignItems: "center" }}>
      <span style={{ fontSize: 32 }}>{Math.round(bar.value * grown)}</span>
      <div style={{ width: 80, height: (bar.value / largest) * height * 0.5 * grown, background: "#22c55e", borderRadius: 8 }} />
      <span style={{ fontSize: 28 }}>{bar.label}</span>
    </div>
  );
};

const BARS: Bar[] = [
  { label: "Mon", value: 12 },
  { label: "Tue", value: 31 },
  { label: "Wed", value: 24 },
];

export default function Bars({ bars = BARS }: { bars?: Bar[] }) {
  const largest = Math.max(...bars.map((bar) => bar.value));
  return (
    <AbsoluteFill style={{ flexDirection: "row", gap: 60, alignItems: "flex-end", justifyContent: "center", padding: 80 }}>
      {bars.map((bar, index) => (
        <Column key={bar.label} bar={bar} largest={largest} index={index} />
      ))}
    </AbsoluteFill>
  );
}
