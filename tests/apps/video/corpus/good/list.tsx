import { AbsoluteFill, spring, useCurrentFrame, useVideoConfig } from "@millrace/scene";

enum Mark {
  Done = "✓",
  Open = "○",
}

type Item = { text: string; mark?: Mark };
const DEFAULT = [{ text: "Write", mark: Mark.Done }, { text: "Test" }, { text: "Ship" }] satisfies Item[];

export default function List({ items = DEFAULT, color = "#111827" }: { items?: Item[]; color?: string }) {
  const frame = useCurrentFrame();
  const { fps } = useVideoConfig();
  return (
    <AbsoluteFill style={{ justifyContent: "center", padding: 100, color }}>
      <ul style={{ listStyle: "none", fontSize: 64 }}>
        {items.map(({ text, mark }, i) => {
          const shown = spring({ frame: frame - i * 10, fps, durationInFrames: 25 });
          return (
            <li key={text} style={{ opacity: shown, transform: `translateX(${(1 - shown) * -60}px)` }}>
              {mark ?? Mark.Open} {text}
            </li>
          );
        })}
      </ul>
    </AbsoluteFill>
  );
}
