/** All jobs of the user: filtered and searched, live, with actions on several of them. */

/** @import { JobFilter } from "../../millrace.js" */
/** @import { JobListWatch } from "../../millrace.js" */
/** @import { JobSummary } from "../../../../../docs/api/types" */
/** @import { BulkReport } from "../app/bulk.js" */
/** @import { Context } from "../app/context.js" */
/** @import { Page } from "../app/router.js" */

import { inBulk } from "../app/bulk.js";
import { retentionText } from "../app/format.js";
import { statusLabel } from "../app/labels.js";
import { componentPage } from "../app/mounted.js";
import { Fragment, h, useCallback, useEffect, useMemo, useRef, useState } from "../app/preact.js";
import { JobTable } from "../parts/job_table.js";
import { Empty, ListFrame, NoMatch } from "../parts/live_list.js";

const PAGE = 100;
/** How long the user has not typed before a search begins, in milliseconds. */
const TYPING = 250;
const STATUSES = ["pending", "in_progress", "completed", "failed", "cancelled"];
const FILTERS = /** @type {const} */ (["search", "status", "pipeline"]);

/** @typedef {{ search: string, status: string, pipeline: string }} Chosen */

/**
 * @param {Context} context
 * @returns {Page}
 */
export function jobsPage(context) {
  return componentPage("Jobs", JobsPage, { context });
}

/** @param {{ context: Context }} properties */
function JobsPage({ context }) {
  const [chosen, setChosen] = useState(chosenInAddress);
  const list = useMemo(() => context.millrace.newJobListWatch(filterOf(chosen)), []);
  const choose = useCallback((/** @type {Chosen} */ next) => {
    setChosen(next);
    context.setQuery(new URLSearchParams(Object.entries(next).filter(([, value]) => value !== "")));
    list.setFilter(filterOf(next));
  }, [list]);
  return h(Fragment, {},
    h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, "Jobs"),
      h("a", { class: "button main", href: context.applications.defaultFormPath }, "New job")),
    h("p", { class: "lead" }, [retentionText(context.config.retention), ...[...context.applications].flatMap((each) => each.retention ?? [])].join(" ")),
    h(Filters, { context, chosen, choose }),
    h(ListFrame, {
      ...{ list, name: "jobs", signIn: context.signIn, empty: h(Nothing, { context, chosen, choose }) },
      rows: (/** @type {readonly JobSummary[]} */ jobs) => h(Selectable, { context, list, jobs, key: JSON.stringify(chosen) }),
    }));
}

/** @param {{ context: Context, chosen: Chosen, choose: (next: Chosen) => void }} properties */
function Filters({ context, chosen, choose }) {
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const newest = useRef(chosen);
  newest.current = chosen;
  const search = (/** @type {string} */ text, wait = TYPING) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => newest.current.search !== text && choose({ ...newest.current, search: text }), wait);
  };
  const kinds = [...context.applications].map(({ pipeline, label }) => /** @type {const} */ ([pipeline, label]));
  return h("form", { class: "filters", "aria-label": "Filters", onsubmit: (/** @type {Event} */ event) => event.preventDefault() },
    h("div", { class: "field" }, h("label", { for: "search" }, "Search"),
      h("input", { id: "search", type: "search", maxlength: 100, placeholder: "Subject or job id", value: chosen.search,
        oninput: (/** @type {any} */ event) => search(event.target.value.trim()) })),
    h(Choice, { name: "status", label: "Status", value: chosen.status, choices: STATUSES.map((each) => [each, statusLabel(each)]), choose: (status) => choose({ ...newest.current, status }) }),
    h(Choice, { name: "pipeline", label: "Kind", value: chosen.pipeline, choices: kinds, choose: (pipeline) => choose({ ...newest.current, pipeline }) }));
}

/** @param {{ name: string, label: string, value: string, choices: readonly (readonly [string, string])[], choose: (value: string) => void }} properties */
function Choice({ name, label, value, choices, choose }) {
  return h("div", { class: "field" }, h("label", { for: name }, label),
    h("select", { id: name, value, onchange: (/** @type {any} */ event) => choose(event.target.value) },
      [["", "All"], ...choices].map(([key, text]) => h("option", { key, value: key, selected: key === value }, text))));
}

/** @param {{ context: Context, chosen: Chosen, choose: (next: Chosen) => void }} properties */
function Nothing({ context, chosen, choose }) {
  const { search, status, pipeline } = chosen;
  const filters = [
    status && `status “${statusLabel(status)}”`,
    pipeline && `kind “${context.applications.of(pipeline).label}”`,
    search && `search “${search}”`,
  ].filter(Boolean);
  if (filters.length === 0) {
    return h(Empty, { icon: "list", text: "No jobs found.", action: h("a", { class: "button main", href: context.applications.defaultFormPath }, "Create a job") });
  }
  const clear = () => choose({ search: "", status: "", pipeline: "" });
  return h(NoMatch, { icon: "list", text: `No jobs match ${filters.join(" and ")}.`, clear });
}

/** @param {{ context: Context, list: JobListWatch, jobs: readonly JobSummary[] }} properties */
function Selectable({ context, list, jobs }) {
  const [selected, setSelected] = useState(/** @type {ReadonlySet<string>} */ (new Set()));
  const [report, setReport] = useState("");
  const [refused, setRefused] = useState(/** @type {BulkReport["refused"]} */ ([]));
  const [busy, setBusy] = useState(false);
  const select = useCallback((/** @type {readonly string[]} */ ids, /** @type {boolean} */ on) => {
    const chosen = new Set(ids);
    setSelected((before) => new Set(on ? [...before, ...ids] : [...before].filter((each) => !chosen.has(each))));
  }, []);
  const wanted = jobs.filter(({ jobId }) => selected.has(jobId));
  /** @param {"cancelled" | "resumed"} done @param {(jobId: string) => Promise<any>} act */
  const actOn = async (done, act) => {
    setBusy(true);
    const result = await inBulk(wanted, act);
    for (const job of result.done) list.put(job);
    list.refresh();
    setBusy(false);
    setSelected(new Set(result.refused.map(({ job }) => job.jobId)));
    setRefused(result.refused);
    setReport(`${result.done.length} ${done}${result.refused.length > 0 ? `, ${result.refused.length} not ${done}:` : "."}`);
  };
  const { millrace } = context;
  const idle = !busy && wanted.length > 0;
  // A disabled button would lose the focus.
  const button = (/** @type {string} */ label, /** @type {() => void} */ act) =>
    h("button", { type: "button", class: "button small", "aria-disabled": idle ? null : "true", onclick: () => idle && act() }, label);
  return h(Fragment, {},
    h("div", { class: "bulk", role: "group", "aria-label": "Selected jobs" },
      h("span", { class: "note" }, `${wanted.length} selected`),
      button("Cancel selected", () => actOn("cancelled", (id) => millrace.cancelJob(id))),
      button("Resume selected", () => actOn("resumed", (id) => millrace.resumeJob(id)))),
    h("div", { role: "status" }, report && h("p", {}, report),
      refused.length > 0 && h("ul", {}, refused.map(({ job, message }) => h("li", { key: job.jobId }, `${job.title ?? job.jobId}: ${message}`)))),
    h(JobTable, { jobs, applications: context.applications, selection: { ids: selected, select } }));
}

/** @returns {Chosen} */
function chosenInAddress() {
  const query = new URLSearchParams(location.search);
  const [search = "", status = "", pipeline = ""] = FILTERS.map((name) => query.get(name) ?? "");
  return { search: search.slice(0, 100).trim(), status: STATUSES.includes(status) ? status : "", pipeline };
}

/**
 * @param {Chosen} chosen
 * @returns {JobFilter}
 */
function filterOf(chosen) {
  return { ...chosen, limit: PAGE };
}
