import { AbsoluteFill } from "@millrace/scene";

export default function Page({ text = "one" }) {
  return (
    <AbsoluteFill style={{ animation: "spin 2s linear infinite" }}>
      <style>{"@keyframes spin { to { rotate: 1turn } }"}</style>
      <p style={{ transitionDuration: `${text.length}s` }}>{text}</p>
    </AbsoluteFill>
  );
}
// fault: lint no-css-animation 5:28
// fault: lint no-element 6:8
// fault: lint no-css-animation 7:19
