import { AbsoluteFill, Img } from "@millrace/scene";

export default function Page({ text = "one" }) {
  return (
    <AbsoluteFill>
      <Img image="img_01JZ9999999999999999999999" />
      <Img src="/logo.png" />
      <img alt={text} />
    </AbsoluteFill>
  );
}
// fault: lint unknown-image 6:18
// fault: lint image-source 7:12
// fault: lint no-element 8:8
