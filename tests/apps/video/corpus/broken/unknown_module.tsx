import { AbsoluteFill } from "@millrace/scene";
import { motion } from "framer-motion";

export default function Page({ text = "one" }) {
  return <AbsoluteFill>{text}</AbsoluteFill>;
}
// fault: lint import-source 2:24
