import React, { Fragment } from "react";
import { AbsoluteFill, interpolate, useCurrentFrame } from "remotion";

const rows = [["Speed", 98], ["Size", 12], ["Cost", 3]] as [string, number][];

export default function Table({ title = "Results" }: { title?: string }) {
  const frame = useCurrentFrame();
  return (
    <>
      <AbsoluteFill style={{ background: "#fafaf9" }} />
      <AbsoluteFill style={{ padding: 80 }}>
        <h1>{title}</h1>
        {rows.map(([name, value]) => (
          <Fragment key={name}>
            <span style={{ fontSize: 36 }}>{name}</span>
            <div style={{ height: 20, width: interpolate(frame, [0, 30], [0, value * 8], { extrapolateRight: "clamp" }), background: "#7c3aed" }} />
          </Fragment>
        ))}
        {React.createElement("footer", { style: { fontSize: 24 } }, "made of numbers")}
      </AbsoluteFill>
    </>
  );
}
