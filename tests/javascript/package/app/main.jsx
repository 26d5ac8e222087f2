/** The smallest page that shows a job: React in StrictMode, built by Vite. */

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { Millrace } from "@millrace/client";
import { useJob, useJobObject } from "@millrace/client/react";

const millrace = new Millrace({ api: "http://api", token: "t" });

function Job({ id }) {
  const { state, view } = useJob(millrace, id);
  const written = useJobObject(view);
  return (
    <p>
      {state}: {written?.suggestions?.[0]?.title}
    </p>
  );
}

createRoot(document.getElementById("root")).render(
  <StrictMode>
    <Job id="job_1" />
  </StrictMode>,
);
