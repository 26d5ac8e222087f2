/** The debugging views of a job: timeline, events, discarded text, JSON, commands, links, and running it again. */

/** @import { JobDetail } from "../../../../../../docs/api/types" */
/** @import { Watch } from "../../../millrace.js" */
/** @import { Context } from "../../app/context.js" */
/** @import { Child, VNode } from "../../app/preact.js" */

import { h, useLayoutEffect, useMemo, useRef, useState } from "../../app/preact.js";
import { CopyButton } from "../export_components.js";
import { awsLinks, curlOf } from "./curl.js";
import { DiscardedText } from "./discarded_text.js";
import { EventInspector } from "./event_inspector.js";
import { JobFeed } from "./job_feed.js";
import { JsonPanel } from "./json_panels.js";
import { RerunForm } from "./rerun_form.js";
import { TimelineView } from "./timeline_view.js";

/** How often the views are drawn while the job runs, in milliseconds. No event is drawn by itself. */
const TICK = 500;

/**
 * All views are drawn from one `JobFeed`, which begins with the first drawing: before the page connects the watch, so that
 * it misses no event.
 * @param {{ context: Context, watch: Watch, job: JobDetail }} properties `job` when the page was loaded
 */
export function DebugPanels({ context, watch, job }) {
  const feed = useFeed(context, watch, job);
  return h("section", { class: "debug", "aria-labelledby": "debug" }, h("h2", { id: "debug" }, "Debugging"),
    h(View, { label: "Timeline", begins: "open" }, h(TimelineView, { feed })),
    h(View, { label: "Events" }, h(EventInspector, { feed })),
    h(View, { label: "Discarded text" }, h(DiscardedText, { feed })),
    h(View, { label: "JSON" }, h(JsonPanel, { feed })),
    h(View, { label: "Commands and links" }, h(Commands, { context, job })),
    h(View, { label: "Run again" }, h(RerunForm, { context, job })));
}

/**
 * Return what is known of the job. The component is drawn again twice a second while the job runs, when the job begins or
 * ends, and when events were loaded.
 * @param {Context} context
 * @param {Watch} watch
 * @param {JobDetail} job
 */
function useFeed({ millrace }, watch, job) {
  const feed = useMemo(() => new JobFeed(millrace, watch, job), [watch]);
  const [, setDrawing] = useState(0);
  useLayoutEffect(() => {
    const draw = () => setDrawing((before) => before + 1);
    const timer = setInterval(() => watch.live && draw(), TICK);
    const unsubscribe = feed.onChange(draw);
    return () => {
      clearInterval(timer);
      unsubscribe();
      feed.stop();
    };
  }, [feed]);
  return feed;
}

/**
 * A view that is drawn only while it is open. What was drawn stays when it is closed, so that nothing is lost that the user
 * has typed or chosen.
 * @param {{ label: string, begins?: "open" | "closed", children?: Child }} properties
 */
function View({ label, begins = "closed", children }) {
  const [open, setOpen] = useState(begins === "open");
  const shown = useRef(/** @type {Child} */ (null));
  if (open) shown.current = children;
  return h("details", { class: "more debug-view", open, ontoggle: (/** @type {any} */ event) => setOpen(event.currentTarget.open) },
    h("summary", {}, label), shown.current);
}

/** @param {{ context: Context, job: JobDetail }} properties */
function Commands({ context: { config }, job }) {
  const { create, get, stream } = curlOf(job, location.origin);
  const { execution, trace } = awsLinks(job, config.awsConsole);
  return h("div", {},
    h("p", { class: "subtitle" }, "Set MILLRACE_TOKEN to a token first. The commands do not contain one."),
    h(Command, { label: "Create this job again", command: create }),
    h(Command, { label: "Get the job", command: get }),
    h(Command, { label: "Stream the job", command: stream }),
    execution || trace
      ? h("ul", {}, execution && h("li", {}, external("Step Functions execution", execution)), trace && h("li", {}, external("Trace", trace)))
      : h("p", { class: "subtitle" }, config.awsConsole
        ? "This job has no Step Functions execution and no trace."
        : "This deployment is not on AWS, so there are no links to executions and traces."));
}

/** @param {{ label: string, command: string }} properties */
function Command({ label, command }) {
  return h("div", { class: "debug-command" },
    h("div", { class: "section-head" }, h("h3", {}, label), h(CopyButton, { label: "Copy", text: () => command, about: `the command: ${label}` })),
    h("pre", { class: "debug-text", tabindex: "0", role: "region", "aria-label": label }, command));
}

/**
 * @param {string} label
 * @param {string} href
 * @returns {VNode}
 */
function external(label, href) {
  return h("a", { href, target: "_blank", rel: "noreferrer" }, label);
}
