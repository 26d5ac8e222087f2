import { AbsoluteFill, useCurrentFrame } from "@millrace/scene";

const pick = <T,>(list: readonly T[], index: number): T => list[((index % list.length) + list.length) % list.length]!;

class Palette {
  #colors: string[];
  constructor(colors: string[]) {
    this.#colors = colors;
  }
  at(index: number) {
    return pick(this.#colors, index);
  }
}

const palette = new Palette(["#ef4444", "#f59e0b", "#10b981"]);

export const name = "Generic";

export default function Generic({ word = "Typed" }: { readonly word?: string }): JSX.Element {
  const second = Math.floor(useCurrentFrame() / 30);
  return <AbsoluteFill style={{ background: palette.at(second), fontSize: 90 }}>{word}</AbsoluteFill>;
}
