import { AbsoluteFill } from "@millrace/scene";

const Headline = ({ text }: { text: string }) => <h1>{text}</h1>;

const Footer = () => <footer>end</footer>;

const Headline = ({ text }: { text: string }) => <h2>{text}</h2>;

export default function Page({ text = "one" }) {
  return (
    <AbsoluteFill>
      <Headline text={text} />
      <Footer />
    </AbsoluteFill>
  );
}
// fault: name duplicate-name 3:7
// fault: name duplicate-name 7:7
