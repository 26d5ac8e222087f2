import { AbsoluteFill } from "@millrace/scene";

export default function Page({ html = "<b>one</b>" }) {
  return (
    <AbsoluteFill>
      <div dangerouslySetInnerHTML={{ __html: html }} />
      <iframe title="other" />
    </AbsoluteFill>
  );
}
// fault: lint no-raw-html 6:12
// fault: lint no-element 7:8
