import { AbsoluteFill } from "@millrace/scene";

const page = <AbsoluteFill>one</AbsoluteFill>;

export default page;
// fault: runtime default-export 5:1
