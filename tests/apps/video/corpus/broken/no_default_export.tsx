import { AbsoluteFill } from "@millrace/scene";

const Word = ({ text }: { text: string }) => <b>{text}</b>;

function Page({ text = "one" }) {
  return (
    <AbsoluteFill>
      <Word text={text} />
    </AbsoluteFill>
  );
}
// fault: lint default-export 5:1
