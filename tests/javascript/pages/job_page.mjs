/** The pages of a job and of a run, drawn in a document without a browser: its buttons, its focus and its words in every state. */

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { CONNECTED, frame, refusal, server, stream, success } from "../api.mjs";
import { until, window } from "../document.mjs";

const STATIC = "../../../functions/console/static";
const { Applications } = await import(`${STATIC}/core/app/applications.js`);
const { Millrace } = await import(`${STATIC}/millrace.js`);
const { jobPage } = await import(`${STATIC}/core/pages/job.js`);
const { jobsPage } = await import(`${STATIC}/core/pages/jobs.js`);
const known = async () => (await import(`${STATIC}/apps.js`)).applications;
const { showRelativeTimes } = await import(`${STATIC}/core/app/relative_times.js`);
const { Watch } = await import(`${STATIC}/millrace/watch.js`);
const { runPage } = await import(`${STATIC}/apps/ideation/pages/run.js`);

const USAGE = { inputTokens: 1, outputTokens: 2, costUsd: null, unreportedCalls: 0 };
const DETAIL = {
  ...{ jobId: "job_1", pipeline: "poem", title: "Ponds", status: "in_progress", stage: "write", progress: 40, attempt: 1, retryCount: 0 },
  ...{ model: "m", agent: null, usage: USAGE, failure: null, links: { runId: null }, requestId: null, archived: false },
  ...{ createdAt: "2026-11-26T08:00:00Z", startedAt: "2026-11-26T08:00:00Z", endedAt: null, expiresAt: "2026-11-26T09:00:00Z" },
  ...{ streamUrl: "http://stream/jobs/job_1/stream", input: { topic: "ponds" }, text: "An old", items: [], subtasks: [] },
  ...{ lastEventId: 3, result: null, history: [], historyIsWhole: true, omitted: [] },
};
const ENDED = { endedAt: "2026-11-26T08:01:00Z" };
const FAULT = { code: "MODEL_REFUSED", message: "the model refuses", stage: "write", attempt: 2, retryable: false, traceId: "1-a" };
const POEM = {
  ...{ pipeline: "poem", label: "Poem", stages: ["write", "check"], lists: [], routes: [] },
  form: { path: "/console/poem", label: "Poem" },
  output: () => ({ element: document.createElement("section"), stop: () => {} }),
};

const RUN = {
  ...{ runId: "run_1", title: "Games", status: "running", createdAt: DETAIL.createdAt, ideas: [], genres: [], ranking: null, groups: null },
  parameters: { platform: "phones", ideaCount: 3, requirements: null, arrangement: "none" },
  transform: { jobId: "job_1", model: "m", agent: null, retryCount: 0, maxRetries: 2, failure: null },
};

/** The pages of this test, which are left also if it fails: a page that is shown has timers, and Node waits for them. */
const pages = [];
afterEach(() => pages.splice(0).forEach((page) => page.leave?.()));

/** Show the page of the job, and return it once the job is shown. */
const shown = (responses) => shownAt((context) => jobPage(context, "job_1"), responses, ".live");

/** Show a page, and return it once it has the element. */
async function shownAt(pageOf, responses, selector, { times = {} } = {}) {
  const { fetch, requests } = server(responses);
  const millrace = new Millrace({ api: "http://api", token: "t", fetch });
  millrace.newWatch = (parts) => new Watch(millrace.watchApi, { ...parts, times });
  const visited = [];
  const context = {
    ...{ applications: new Applications([POEM, ...(await known())]), config: { scriptedModel: true, retention: { jobSeconds: 15, failedJobSeconds: 30, archiveDays: 0 } }, millrace, signIn: () => {} },
    ...{ announce: () => {}, setTitle: () => {}, go: (path) => visited.push(path) },
  };
  const page = pageOf(context);
  pages.push(page);
  document.body.replaceChildren(page.element);
  await until(() => page.element.querySelector(selector) !== null);
  return { page, requests, visited };
}

const labels = (page) => [...page.element.querySelectorAll(".live button")].map((each) => each.textContent);
const button = (page, label) => [...page.element.querySelectorAll("button")].find((each) => each.textContent === label);
const stateOf = (page) => page.element.querySelector(".state").textContent;

test("a cancelled job gives the focus to its state, and no other button takes the place of Cancel", async () => {
  let end = () => {};
  const ended = new Promise((resolve) => (end = resolve));
  const rest = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode(CONNECTED)),
    pull: async (controller) => {
      await ended;
      controller.enqueue(new TextEncoder().encode(frame(1, { type: "cancelled", stage: "write", usage: USAGE })));
    },
  }, { highWaterMark: 0 });
  const events = new Response(rest, { headers: { "Content-Type": "text/event-stream" } });
  const { page, requests } = await shown([success({ ...DETAIL, lastEventId: 0 }), events, success({}, 202)]);
  await until(() => stateOf(page).startsWith("Waiting"));
  const cancel = button(page, "Cancel");
  cancel.focus();
  cancel.click();
  cancel.click(); // the second click of a double click asks for nothing
  await until(() => cancel.textContent === "Cancelling…");
  assert.ok(document.activeElement === cancel); // the difference of two elements is too long to print
  end();
  await until(() => stateOf(page).startsWith("Cancelled"));
  assert.ok(document.activeElement === page.element.querySelector(".state"));
  assert.equal(page.element.querySelector(".state-line button"), null);
  assert.deepEqual(labels(page), ["Resume", "New job with this input"]);
  assert.equal(requests.filter(({ url }) => url.endsWith("/cancel")).length, 1);
});

test("a job that cannot be retried offers a new job first, and shows where it failed", async () => {
  const failed = { ...DETAIL, ...ENDED, status: "failed", failure: FAULT };
  const { page } = await shown([success(failed)]);
  await until(() => stateOf(page) === "Failed");
  assert.deepEqual(labels(page), ["New job with this input", "Resume"]);
  assert.equal(page.element.querySelector(".problem .main").textContent, "New job with this input");
  assert.match(page.element.querySelector(".problem").textContent, /StageWriteAttempt2Trace1-a/);
});

test("a completed job can be started again with its input, from below the state", async () => {
  const { page, visited } = await shown([success({ ...DETAIL, ...ENDED, status: "completed", result: {} })]);
  await until(() => stateOf(page) === "Complete");
  assert.equal(page.element.querySelector(".state-line button"), null);
  button(page, "New job with this input").click();
  assert.deepEqual(visited, ["/console/poem"]);
});

test("a job whose stream is refused is not called stopped, and shows what the API has said of it", async () => {
  const { page } = await shown([success(DETAIL), refusal(429, "STREAM_LIMIT_EXCEEDED", { retryAfter: 60 })]);
  await until(() => page.element.querySelector(".problem") !== null);
  assert.equal(stateOf(page), "Not connected");
  assert.equal(page.element.querySelector("progress").value, 40);
  assert.ok(button(page, "Cancel"));
  assert.match(page.element.querySelector(".stages").textContent, /Writerunning/);
});

test("a stage's element stays while events arrive, so that a selection in it is kept", async () => {
  const events = [CONNECTED, frame(1, { type: "stage", stage: "write", index: 1, of: 2, attempt: 1 })];
  const { page } = await shown([success({ ...DETAIL, lastEventId: 0, progress: 0, stage: null }), stream(events, "open")]);
  await until(() => page.element.querySelector(".stage[data-status=running]") !== null);
  const before = page.element.querySelector(".stage");
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(page.element.querySelector(".stage") === before);
});

test("the status of a run follows its job", async () => {
  const job = { ...DETAIL, lastEventId: 0 };
  const failed = frame(1, { type: "error", ...FAULT, retryCount: 1, requestId: null, usage: USAGE });
  const { page } = await shownAt((context) => runPage(context, "run_1"), [success(RUN), success({ job }), stream([CONNECTED, failed])], ".live");
  await until(() => stateOf(page) === "Failed");
  await until(() => page.element.querySelector(".subtitle .badge").dataset.status === "failed");
});

test("a failed run whose job has expired shows where the job failed", async () => {
  const transform = { ...RUN.transform, failure: FAULT };
  const { page } = await shownAt((context) => runPage(context, "run_1"),
    [success({ ...RUN, status: "failed", transform }), refusal(404, "NOT_FOUND")], ".problem");
  assert.match(page.element.querySelector(".problem").textContent, /StageWriteAttempt2Trace1-a/);
});

test("a completed run shows the stages, retries, tokens and cost of its job", async () => {
  const history = [
    ...[{ eventId: 1, at: DETAIL.createdAt, type: "stage", stage: "write", attempt: 1 }],
    ...[{ eventId: 2, at: "2026-11-26T08:00:02Z", type: "reset", attempt: 2, reason: "MODEL_TIMEOUT", message: "slow", retryCount: 1 }],
    ...[{ eventId: 3, at: "2026-11-26T08:00:08Z", type: "complete" }],
  ];
  const job = { ...DETAIL, ...ENDED, status: "completed", result: {}, retryCount: 1, history, archived: true };
  const { page } = await shownAt((context) => runPage(context, "run_1"),
    [success({ ...RUN, status: "completed" }), success(job)], "#statistics");
  const side = page.element.querySelector("aside").textContent;
  assert.match(side, /StagesWritedone8\.0 s/);
  assert.match(side, /Attempt 2 has started \(retry 1\)/);
  assert.match(side, /Retries1Tokens in1Tokens out2Cost of the modelscripted, no cost/);
  assert.match(side, /Jobopen/);
});

test("a run whose job has expired says so, and keeps its duration", async () => {
  const transform = { ...RUN.transform, createdAt: DETAIL.createdAt, endedAt: "2026-11-26T08:00:42Z" };
  const { page } = await shownAt((context) => runPage(context, "run_1"),
    [success({ ...RUN, status: "completed", transform }), refusal(404, "NOT_FOUND")], "aside .facts");
  await until(() => /Jobexpired/.test(page.element.querySelector("aside").textContent));
  assert.match(page.element.querySelector("aside").textContent, /Duration42 s/);
  assert.equal(page.element.querySelector('aside a[href*="/jobs/"]'), null);
});

test("the arrangement of a run and its agent have their names", async () => {
  const parameters = { ...RUN.parameters, arrangement: "rank" };
  const transform = { ...RUN.transform, jobId: null, agent: { agentId: "agt_1", version: 3 } };
  const { page } = await shownAt((context) => runPage(context, "run_1"),
    [success({ ...RUN, status: "completed", parameters, transform }), success({ agentId: "agt_1", name: "Terse", version: 4 })], "aside .facts");
  await until(() => /AgentTerse, version 3/.test(page.element.querySelector("aside").textContent));
  assert.match(page.element.querySelector("aside").textContent, /ArrangementRanked, best first/);
});

test("a job shows the name of its agent instead of ids, and the words of its form", async () => {
  const input = { platform: "phones", arrangement: "rank", agentId: "agt_1", agentVersion: 3, customModel: "m" };
  const job = { ...DETAIL, ...ENDED, pipeline: "ideation", status: "cancelled", input, agent: { agentId: "agt_1", version: 3 } };
  const { page } = await shown([success(job), success({ agentId: "agt_1", name: "Terse", version: 4 })]);
  await until(() => /AgentTerse, version 3/.test(page.element.querySelector("aside").textContent));
  const about = page.element.querySelector("[aria-labelledby=about]").textContent;
  assert.match(about, /ArrangementRanked, best first/);
  assert.doesNotMatch(about, /agt_1|Custom model/);
});

test("a job of a pipeline that no application has is shown with its own name and its result as JSON", async () => {
  const job = { ...DETAIL, ...ENDED, pipeline: "map_making", title: null, status: "completed", result: { suggestions: [{ title: "A" }] } };
  const { page } = await shown([success(job)]);
  assert.equal(page.element.querySelector("h1").textContent, "Map making");
  assert.equal(page.element.querySelector(".cards"), null);
  await until(() => page.element.querySelector("pre.raw")?.textContent.includes('"title": "A"'));
  assert.equal(page.element.querySelector("#output").textContent, "Result");
});

test("the times of a job and of a run go on", async () => {
  const job = await shown([success({ ...DETAIL, ...ENDED, status: "cancelled" })]);
  const run = await shownAt((context) => runPage(context, "run_1"), [success({ ...RUN, status: "completed", transform: null })], "time");
  document.body.append(job.page.element);
  showRelativeTimes(Date.parse(DETAIL.createdAt) + 37_000);
  for (const { page } of [job, run]) {
    assert.equal(page.element.querySelector(".subtitle time").textContent, "37 seconds ago");
  }
});

test("a stream that brings only heartbeats is told, and the job is said to wait", async () => {
  const still = { ...DETAIL, lastEventId: 0, stage: null, status: "pending" };
  const { page } = await shownAt((context) => jobPage(context, "job_1"),
    [success(still), stream([CONNECTED], "open"), success(still)], ".quiet", { times: { quietLimit: 20 } });
  assert.match(page.element.querySelector(".quiet").textContent, /^No event for .* waiting for its first stage to start\. The server confirmed/);
  assert.equal(page.element.querySelector(".problem"), null);
  assert.ok(button(page, "Cancel"));
});

test("a job that was not found may have expired, after the time for which this deployment keeps jobs", async () => {
  const { page } = await shownAt((context) => jobPage(context, "job_1"), [refusal(404, "NOT_FOUND")], ".problem");
  assert.match(page.element.textContent, /It may have expired\. Completed jobs are kept for 15 seconds, failed and cancelled ones for 30 seconds\./);
});

const SUMMARY = { ...DETAIL, updatedAt: DETAIL.createdAt, statusUrl: "", maxRetries: 2, lastFault: null };
const listed = (...jobs) => success({ jobs, cursor: null });

test("each row of the list of jobs has the subject of its job", async () => {
  const jobs = [{ ...SUMMARY, title: "Ponds" }, { ...SUMMARY, jobId: "job_2", title: "Rivers" }, { ...SUMMARY, jobId: "job_3", title: null }];
  const { page } = await shownAt((context) => jobsPage(context), [listed(...jobs)], "tbody tr");
  const links = [...page.element.querySelectorAll('tbody a[href^="/console/jobs/"]')].map((each) => each.textContent);
  assert.deepEqual(links, ["Poem", "Rivers", "Ponds"]);
});

test("a filter that no job matches is named, and can be cleared", async () => {
  window.history.replaceState(null, "", "/console/jobs?status=failed");
  const { page } = await shownAt((context) => jobsPage({ ...context, setQuery: () => {} }), [listed(), listed(SUMMARY)], ".empty");
  assert.match(page.element.querySelector(".empty").textContent, /^No jobs match status “Failed”\./);
  button(page, "Clear filters").click();
  await until(() => page.element.querySelector("tbody tr") !== null);
});
