import { AbsoluteFill, Img, interpolate, useCurrentFrame } from "@millrace/scene";

export default function Photo({ photo = "img_01JZ0000000000000000000001", caption = "The harbour" }) {
  const frame = useCurrentFrame();
  return (
    <AbsoluteFill>
      <Img image={photo} style={{ width: "100%", height: "100%", objectFit: "cover", transform: `scale(${interpolate(frame, [0, 90], [1, 1.1])})` }} />
      <Img image="img_01JZ0000000000000000000002" style={{ position: "absolute", right: 40, bottom: 40, width: 200 }} />
      <p style={{ position: "absolute", left: 40, bottom: 20, fontSize: 56, color: "white" }}>{caption}</p>
    </AbsoluteFill>
  );
}
