import { AbsoluteFill, Img } from "@millrace/scene";

export default function Page({ photo = "img_01JZ9999999999999999999999" }) {
  return (
    <AbsoluteFill>
      <Img image={photo} />
    </AbsoluteFill>
  );
}
// fault: runtime exception 6:8
