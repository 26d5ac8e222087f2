import { AbsoluteFill } from "@millrace/scene";

export default function EndCard({ site = "tidewater.app", thanks = "Thank you" }) {
  return (
    <AbsoluteFill style={{ alignItems: "center", justifyContent: "center", clipPath: "url(#hole)" }}>
      <h1 style={{ fontSize: 96 }}>{thanks}</h1>
      <p style={{ fontSize: 48 }}>https://{site}</p>
    </AbsoluteFill>
  );
}
