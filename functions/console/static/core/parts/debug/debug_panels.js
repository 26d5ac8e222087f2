/** The debugging views of a job: timeline, events, discarded text, JSON, commands, links, and running it again. */

/** @import { JobDetail } from "../../../../../../docs/api/types" */
/** @import { Watch } from "../../../millrace.js" */
/** @import { Context } from "../../app/context.js" */

import { h } from "../../app/dom.js";
import { copyButton } from "../export_buttons.js";
import { awsLinks, curlOf } from "./curl.js";
import { discardedText } from "./discarded_text.js";
import { eventInspector } from "./event_inspector.js";
import { JobFeed } from "./job_feed.js";
import { jsonPanel } from "./json_panels.js";
import { rerunForm } from "./rerun_form.js";
import { timelineView } from "./timeline_view.js";

/** How often the views are drawn while the job runs, in milliseconds. No event is drawn by itself. */
const TICK = 500;

/**
 * Call this before the watch is connected, so that no event is missed. `stop` ends the drawing and not the watch.
 * @param {Context} context
 * @param {Watch} watch
 * @param {JobDetail} job when the page was loaded
 */
export function debugPanels(context, watch, job) {
  const feed = new JobFeed(context.millrace, watch, job);
  const views = [
    view("Timeline", timelineView(feed), true),
    view("Events", eventInspector(feed)),
    view("Discarded text", discardedText(feed)),
    view("JSON", jsonPanel(feed)),
    view("Commands and links", commands(context, job)),
    view("Run again", rerunForm(context, job)),
  ];
  const show = () => views.forEach((each) => each.show());
  const timer = setInterval(() => watch.live && show(), TICK);
  const unsubscribe = feed.onChange(show);
  show();
  return {
    element: h("section", { class: "debug", "aria-labelledby": "debug" }, h("h2", { id: "debug" }, "Debugging"), views.map(({ element }) => element)),
    stop() {
      clearInterval(timer);
      unsubscribe();
      feed.stop();
    },
  };
}

/**
 * A view that is drawn only while it is open.
 * @param {string} label
 * @param {{ element: HTMLElement, show: () => void }} part
 * @param {boolean} [open]
 */
function view(label, part, open = false) {
  const element = h("details", { class: "more debug-view", open }, h("summary", {}, label), part.element);
  const show = () => element.open && part.show();
  element.addEventListener("toggle", show);
  return { element, show };
}

/**
 * @param {Context} context
 * @param {JobDetail} job
 */
function commands({ config }, job) {
  const { create, get, stream } = curlOf(job, location.origin);
  const { execution, trace } = awsLinks(job, config.awsConsole);
  const named = /** @type {const} */ ([["Create this job again", create], ["Get the job", get], ["Stream the job", stream]]);
  const links = [execution && ["Step Functions execution", execution], trace && ["Trace", trace]].filter((each) => Array.isArray(each));
  const element = h("div", {},
    h("p", { class: "subtitle" }, "Set MILLRACE_TOKEN to a token first. The commands do not contain one."),
    named.map(([label, command]) => h("div", { class: "debug-command" },
      h("div", { class: "section-head" }, h("h3", {}, label), copyButton("Copy", () => command, `the command: ${label}`)),
      h("pre", { class: "debug-text", tabindex: "0", role: "region", "aria-label": label }, command))),
    links.length > 0
      ? h("ul", {}, links.map(([label, href]) => h("li", {}, h("a", { href, target: "_blank", rel: "noreferrer" }, label))))
      : h("p", { class: "subtitle" }, "This deployment is not on AWS, so there are no links to executions and traces."));
  return { element, show() {} };
}
