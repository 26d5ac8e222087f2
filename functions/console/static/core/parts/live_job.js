/** What a page shows of a job besides its output: `JobControls` above it, `JobPanels` beside it. */

/** @import { JobDetail } from "../../../../../docs/api/types" */
/** @import { WatchSnapshot } from "../../millrace/watch.js" */
/** @import { Context } from "../app/context.js" */

import { h } from "../app/preact.js";
import { EventHistory } from "./event_history.js";
import { Panel } from "./panel.js";
import { stageRows, StageList } from "./stage_list.js";
import { Statistics } from "./statistics.js";
import { SubtaskList } from "./subtask_list.js";

/**
 * The stages, subtasks, irregular events and figures of a job.
 * @param {{ context: Context, job: JobDetail, snapshot: Pick<WatchSnapshot, "view" | "live"> }} properties `job` as it was when the page was loaded
 */
export function JobPanels({ context: { announce, applications, config }, job, snapshot: { view, live } }) {
  const names = applications.of(job.pipeline).stages;
  return [
    stageRows(view, names).length > 0 && h(Panel, { key: "stages", id: "stages", heading: "Stages" }, h(StageList, { view, names })),
    view.subtasks.length > 0 &&
      h(Panel, { key: "subtasks", id: "subtasks", heading: "Tools and subtasks" }, h(SubtaskList, { subtasks: view.subtasks })),
    h(EventHistory, { key: "events", resets: view.resets, announce: live ? announce : null }),
    h(Panel, { key: "statistics", id: "statistics", heading: "Statistics" }, h(Statistics, { job, view, config })),
  ];
}
