import React, { useEffect, useMemo, useState } from "react";
import { AbsoluteFill } from "@millrace/scene";

export default function Page({ text = "one" }) {
  const [count, setCount] = useState(0);
  const [other] = React.useState(0);
  useEffect(() => setCount(1), []);
  return <AbsoluteFill>{useMemo(() => text + count + other, [text])}</AbsoluteFill>;
}
// fault: lint no-state 1:17
// fault: lint no-state 1:37
// fault: lint no-state 6:25
