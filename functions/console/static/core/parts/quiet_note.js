/** Says that a job's stream has brought no event for two minutes, and what the server has said of the job since. */

/** @import { Quiet } from "../../millrace/watch.js" */

import { duration } from "../app/format.js";
import { sentenceCase } from "../app/labels.js";
import { h } from "../app/preact.js";
import { useNow } from "../app/use_watch.js";

/** @param {{ quiet: Quiet }} properties */
export function QuietNote({ quiet }) {
  const now = useNow();
  return h("p", { class: "quiet", role: "note" }, quietText(quiet, now));
}

/**
 * A job that waits is not called lost: the text says what the server has confirmed, and when.
 * @param {Quiet} quiet
 * @param {number} now milliseconds since 1970
 */
export function quietText({ since, confirmedAt, status, stage }, now) {
  const silence = `No event for ${wholeMinutes(now - since)}.`;
  if (confirmedAt === null) return `${silence} The connection is open, but the server did not answer when this page asked for the job.`;
  const asked = `The server confirmed this ${duration(now - confirmedAt)} ago.`;
  if (status === "pending" || stage === null) return `${silence} The job is waiting for its first stage to start. ${asked}`;
  return `${silence} The job is running and may be waiting for the model in the stage “${sentenceCase(stage)}”. ${asked}`;
}

/** @param {number} milliseconds */
function wholeMinutes(milliseconds) {
  const minutes = Math.max(1, Math.floor(milliseconds / 60_000));
  return minutes === 1 ? "1 minute" : `${minutes} minutes`;
}
