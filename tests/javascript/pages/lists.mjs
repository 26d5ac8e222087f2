/**
 * The console's lists, drawn in a document without a browser: live, long, selected with the keyboard, empty and loading; and
 * the pages of single things while they are loading, missing, or changed elsewhere.
 */

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { observers, textOf, until, window } from "../document.mjs";
import { refusal, success } from "../api.mjs";

const STATIC = "../../../functions/console/static";
const { Applications } = await import(`${STATIC}/core/app/applications.js`);
const { Millrace } = await import(`${STATIC}/millrace.js`);
const { agentPage, agentsPage } = await import(`${STATIC}/core/pages/agents.js`);
const { homePage } = await import(`${STATIC}/core/pages/home.js`);
const { jobPage } = await import(`${STATIC}/core/pages/job.js`);
const { jobsPage } = await import(`${STATIC}/core/pages/jobs.js`);
const { webhookPage, webhooksPage } = await import(`${STATIC}/core/pages/webhooks.js`);
const { runPage } = await import(`${STATIC}/apps/ideation/pages/run.js`);
const { runsPage } = await import(`${STATIC}/apps/ideation/pages/runs.js`);
const { projectPage } = await import(`${STATIC}/apps/video/pages/project.js`);
const { projectsPage } = await import(`${STATIC}/apps/video/pages/projects.js`);
const { sheetPage } = await import(`${STATIC}/apps/sheets/pages/sheet.js`);
const { sheetsPage } = await import(`${STATIC}/apps/sheets/pages/sheets.js`);

const AT = "2026-11-27T08:00:00Z";
const POEM = {
  ...{ pipeline: "poem", label: "Poem", stages: [], lists: [], routes: [], titleOf: () => null },
  ...{ form: { path: "/console/poem", label: "Poem", title: "Poem", description: "" } },
};
const ulid = (number) => String(number).padStart(26, "0");
const job = (number, more = {}) => ({
  ...{ jobId: `job_a${ulid(number)}`, pipeline: "poem", title: `Topic ${number}`, status: "completed", stage: null, progress: 100 },
  ...{ failure: null, model: "m", usage: { unreportedCalls: 0, cost: null }, createdAt: AT, startedAt: AT, endedAt: AT, updatedAt: AT, ...more },
});

let page = null;
afterEach(() => page?.leave?.());

/** Show a page over an API that answers by method and path, and record its requests. */
function shown(pageOf, answers) {
  const requests = [];
  const toasts = [];
  const fetch = async (url, { method = "GET", body } = {}) => {
    const { pathname, searchParams } = new URL(url);
    requests.push({ method, path: pathname, query: Object.fromEntries(searchParams), body });
    const answer = answers[`${method} ${pathname}`];
    if (answer === undefined) throw new Error(`the test expects no ${method} ${pathname}`);
    return answer(searchParams, body);
  };
  const clientOptions = { api: "http://api", token: "t", fetch };
  const millrace = new Millrace(clientOptions);
  const context = {
    ...{ applications: new Applications([POEM]), config: { retention: { jobSeconds: 600, failedJobSeconds: 3600 }, defaultModel: "m", models: ["m"] }, session: { signedIn: true, clientOptions }, millrace, signIn: () => {}, setQuery: () => {} },
    ...{ announce: () => {}, setTitle: () => {}, go: () => {}, toast: (text) => toasts.push(text) },
  };
  page = pageOf(context);
  document.body.replaceChildren(page.element);
  return { page, requests, toasts, all: (selector) => [...page.element.querySelectorAll(selector)] };
}

/** Let the waits for the next reading end at once when `pass` is called: those of at least a second. */
const waits = new Map();
const { setTimeout: realTimeout, clearTimeout: realClear } = globalThis;
globalThis.setTimeout = (act, milliseconds, ...rest) => {
  if (!(milliseconds >= 1_000)) return realTimeout(act, milliseconds, ...rest);
  const wait = Symbol("wait");
  waits.set(wait, act);
  return wait;
};
globalThis.clearTimeout = (timer) => (waits.delete(timer) ? undefined : realClear(timer));
const pass = () => [...waits].forEach(([wait, act]) => waits.delete(wait) && act());
/** The time that `ListWatch` compares with. */
let ahead = 0;
const realNow = Date.now;
Date.now = () => realNow() + ahead;

/** Let what the page has begun end: an effect runs after a frame, which is a turn of the event loop here. */
async function settled() {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => realTimeout(resolve, 1));
}

const rowsOf = ({ all }) => all("tbody tr").map((each) => textOf(each.querySelector("th") ?? each));

const LISTS = {
  runs: {
    ...{ pageOf: runsPage, path: "/ideations", items: "runs" },
    item: (number) => ({ runId: `run_${ulid(number)}`, title: `Topic ${number}`, status: "running", createdAt: AT, updatedAt: AT }),
    change: (run) => ({ ...run, status: "completed", updatedAt: "2026-11-27T08:01:00Z" }),
    after: "Completed",
  },
  videos: {
    ...{ pageOf: projectsPage, path: "/projects", items: "projects" },
    item: (number) => ({ projectId: `prj_${ulid(number)}`, title: `Topic ${number}`, scenes: 1, durationInFrames: 30, format: { fps: 30 }, updatedAt: AT }),
    change: (project) => ({ ...project, durationInFrames: 240, updatedAt: "2026-11-27T08:01:00Z" }),
    after: "8.0 s",
  },
  sheets: {
    ...{ pageOf: sheetsPage, path: "/sessions", items: "sessions" },
    item: (number) => ({ sessionId: `ses_${ulid(number)}`, title: `Topic ${number}`, state: "INITIALIZING", activeJobId: "job_1", file: { bytes: 9 }, updatedAt: AT }),
    change: (session) => ({ ...session, state: "ACTIVE", activeJobId: null, updatedAt: "2026-11-27T08:01:00Z" }),
    after: "Active",
  },
  agents: {
    ...{ pageOf: agentsPage, path: "/agents", items: "agents" },
    item: (number) => ({ agentId: `agt_${ulid(number)}`, name: `Topic ${number}`, model: null, version: 1, updatedAt: AT }),
    change: (agent) => ({ ...agent, version: 17, updatedAt: "2026-11-27T08:01:00Z" }),
    after: "17",
  },
  webhooks: {
    ...{ pageOf: webhooksPage, path: "/webhooks", items: "webhooks" },
    item: (number) => ({ webhookId: `whk_${ulid(number)}`, url: "https://a", description: `Topic ${number}`, status: "enabled", eventTypes: [], updatedAt: AT }),
    change: (webhook) => ({ ...webhook, status: "paused", updatedAt: "2026-11-27T08:01:00Z" }),
    after: "Paused",
  },
  home: {
    ...{ pageOf: homePage, path: "/jobs", items: "jobs" },
    item: (number) => job(number, { status: "in_progress", stage: "write", progress: 10, endedAt: null }),
    change: (each) => ({ ...each, progress: 60, updatedAt: "2026-11-27T08:01:00Z" }),
    after: "Write, 60%",
  },
};

for (const [name, { pageOf, path, items, item, change, after }] of Object.entries(LISTS)) {
  test(`the list of ${name} shows bars, then its rows, and what is new or changes elsewhere`, async () => {
    let stored = [item(1)];
    const list = shown(pageOf, { [`GET ${path}`]: () => success({ [items]: stored, cursor: null }) });
    assert.deepEqual(list.all(".skeleton [role=status]").length, 1);
    await until(() => waits.size > 0 && rowsOf(list).length === 1);
    assert.match(rowsOf(list)[0], /^Topic 1/);
    assert.deepEqual(list.all(".skeleton"), []);

    stored = [item(2), change(stored[0])];
    ahead += 60_000;
    pass();
    await until(() => waits.size > 0 && rowsOf(list).length === 2);
    const [second, first] = list.all("tbody tr").map(textOf);
    assert.match(second, /Topic 2/);
    assert.ok(first.includes(after), first);
    list.page.leave();
    await until(() => waits.size === 0);
  });
}

test("a list that is loading shows bars, and an empty one a sentence with one action", async () => {
  let answer = () => {};
  const waiting = new Promise((resolve) => (answer = resolve));
  const list = shown(jobsPage, { "GET /jobs": () => waiting });
  await until(() => list.all(".skeleton").length === 1);
  assert.equal(textOf(list.all("[role=status]")[0]), "Loading jobs…");
  answer(success({ jobs: [], cursor: null }));
  await until(() => list.all(".empty").length === 1);

  assert.equal(textOf(list.all(".empty")[0]), "No jobs found.Create a job");
  assert.equal(list.all(".empty :is(a, button)").length, 1);
  assert.equal(list.all(".empty svg path").length, 1);
});

test("of 5,000 jobs only rows near the visible part are in the document, with their place in the list", async () => {
  const jobs = Array.from({ length: 5_000 }, (_, index) => job(5_000 - index));
  const list = shown(jobsPage, { "GET /jobs": () => success({ jobs, cursor: null }) });
  await until(() => list.all("tbody").length === 500);
  assert.equal(list.all("tbody tr:not(.space)").length, 50);
  assert.equal(list.all("table")[0].getAttribute("aria-rowcount"), "5001");

  await until(() => observers.length >= 500);
  const last = observers.find(({ element }) => element === list.all("tbody")[499]);
  last.report(true);
  await until(() => list.all("tbody tr:not(.space)").length === 60);
  const rows = list.all("tbody")[499].querySelectorAll("tr");
  assert.equal(rows[9].getAttribute("aria-rowindex"), "5001");
  // A chunk with the focus stays, so that the keyboard does not lose its place.
  rows[9].querySelector("input").focus();
  last.report(false);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(list.all("tbody tr:not(.space)").length, 60);
  document.activeElement.blur();
  last.report(false);
  await until(() => list.all("tbody tr:not(.space)").length === 50);
});

test("rows that come near are drawn once, without reading a height, and again each second only if their job runs", async () => {
  const jobs = Array.from({ length: 500 }, (_, index) => job(500 - index, index === 499 ? { status: "in_progress", endedAt: null } : {}));
  let drawn = 0;
  const counted = (context) => {
    const of = context.applications.of.bind(context.applications);
    return jobsPage({ ...context, applications: Object.assign(context.applications, { of: (name) => (drawn += 1, of(name)) }) });
  };
  const ticks = [];
  const { setInterval: realInterval } = globalThis;
  globalThis.setInterval = (act, ...rest) => (ticks.push(act), realInterval(act, ...rest));
  const list = shown(counted, { "GET /jobs": () => success({ jobs, cursor: null }) });
  const chunks = () => list.all("tbody");
  await until(() => chunks().length > 2 && observers.length >= chunks().length);
  await settled();
  let heights = 0;
  const height = Object.getOwnPropertyDescriptor(window.HTMLElement.prototype, "offsetHeight");
  Object.defineProperty(window.HTMLElement.prototype, "offsetHeight", { configurable: true, get: () => (heights += 1) });
  const before = list.all("tbody tr:not(.space)").length;
  drawn = 0;
  observers.find(({ element }) => element === chunks().at(-1)).report(true);
  await until(() => list.all("tbody tr:not(.space)").length > before);
  await settled();
  assert.equal(drawn, list.all("tbody tr:not(.space)").length - before);

  const elapsed = () => textOf(list.all('tbody tr:last-child td[data-label="Duration"]').at(-1));
  const shownBefore = elapsed();
  drawn = 0;
  ahead += 90_000;
  for (const tick of ticks) tick();
  await until(() => elapsed() !== shownBefore);
  await settled();
  if (height) Object.defineProperty(window.HTMLElement.prototype, "offsetHeight", height);
  else delete window.HTMLElement.prototype.offsetHeight;
  globalThis.setInterval = realInterval;
  assert.deepEqual([drawn, heights], [0, 0]);
});

test("rows are selected with the arrow keys and Shift, and cancelled without losing the focus", async () => {
  const jobs = [3, 2, 1].map((number) => job(number, { status: "in_progress", endedAt: null }));
  const list = shown(jobsPage, {
    "GET /jobs": () => success({ jobs, cursor: null }),
    ...Object.fromEntries(jobs.slice(0, 2).map((each) => [`POST /jobs/${each.jobId}/cancel`, () => success({ ...each, status: "cancelled", updatedAt: "2026-11-27T08:01:00Z" })])),
  });
  await until(() => list.all("[data-job]").length === 3);
  const press = (key, shiftKey = false) =>
    document.activeElement.dispatchEvent(new window.KeyboardEvent("keydown", { key, shiftKey, bubbles: true, cancelable: true }));
  list.all("[data-job]")[0].focus();
  list.all("[data-job]")[0].click();
  await until(() => textOf(list.all(".bulk .note")[0]) === "1 selected");
  press("ArrowDown", true);
  await until(() => textOf(list.all(".bulk .note")[0]) === "2 selected");
  assert.equal(document.activeElement, list.all("[data-job]")[1]);
  press("ArrowDown");
  press("ArrowDown");
  assert.equal(document.activeElement, list.all("[data-job]")[2]);

  const cancel = list.all(".bulk button").find((each) => textOf(each) === "Cancel selected");
  cancel.focus();
  cancel.click();
  await until(() => list.all("[role=status]").some((each) => textOf(each) === "2 cancelled."));
  assert.equal(document.activeElement, cancel);
  assert.equal(list.requests.filter(({ method }) => method === "POST").length, 2);
  cancel.click();
  assert.equal(list.requests.filter(({ method }) => method === "POST").length, 2);
});

test("a webhook that was changed elsewhere shows the differences, and keeps what was typed", async () => {
  const webhook = {
    ...{ webhookId: "whk_1", url: "https://a.example", description: "The shop", status: "enabled", disabledReason: null, pausedUntil: null },
    ...{ failingSince: null, secrets: [], version: 1, eventTypes: ["job.failed"], include: [], pipelines: null, updatedAt: AT },
  };
  let stored = webhook;
  const list = shown((context) => webhookPage(context, "whk_1"), {
    "GET /webhooks/whk_1": () => success(stored),
    "GET /webhooks/whk_1/deliveries": () => success({ deliveries: [], cursor: null }),
    "PATCH /webhooks/whk_1": (_, body) => {
      const { version, ...fields } = JSON.parse(body);
      if (version !== stored.version) return refusal(409, "CONFLICT");
      return success((stored = { ...stored, ...fields, version: version + 1 }));
    },
  });
  const field = (name) => list.all(`[name="${name}"]`)[0];
  const save = () => list.all("form").at(-1).dispatchEvent(new window.Event("submit", { bubbles: true, cancelable: true }));
  await until(() => field("description") !== undefined);
  stored = { ...webhook, version: 2, description: "The other shop", eventTypes: ["job.completed", "job.failed"] };
  field("description").value = "Mine";
  save();
  await until(() => list.all(".differences").length === 1);
  assert.deepEqual(list.all(".differences tbody tr").map((row) => [...row.children].map(textOf)), [
    ["Events of jobs", "job.completed, job.failed", "job.failed"],
    ["Description", "The other shop", "Mine"],
  ]);
  assert.equal(field("description").value, "Mine");

  list.all(".problem button").find((each) => textOf(each) === "Use my form after version 2").click();
  await until(() => list.all(".differences").length === 0);
  save();
  await until(() => list.toasts.length === 1);
  assert.deepEqual([stored.version, stored.description, stored.eventTypes], [3, "Mine", ["job.failed"]]);
});

const AGENT = {
  ...{ agentId: "agt_1", name: "Terse", instructions: "One sentence.", model: null, temperature: 0.5, maxOutputTokens: null },
  ...{ version: 1, createdAt: AT, updatedAt: AT },
};

/** Show the page of an agent, change the instructions in its form, and save them after another tab has saved version 2. */
async function agentInConflict() {
  let stored = AGENT;
  const shownAgent = shown((context) => agentPage(context, "agt_1"), {
    "GET /agents/agt_1": () => success(stored),
    "PATCH /agents/agt_1": (_, body) => {
      const { version, ...fields } = JSON.parse(body);
      if (version !== stored.version) return refusal(409, "CONFLICT");
      return success((stored = { ...stored, ...fields, version: version + 1 }));
    },
  });
  const { all } = shownAgent;
  const instructions = () => all('[name="instructions"]')[0];
  const save = () => all("form")[0].dispatchEvent(new window.Event("submit", { bubbles: true, cancelable: true }));
  const choose = (label) => all(".problem button").find((each) => textOf(each) === label).click();
  await until(() => instructions() !== undefined);
  stored = { ...AGENT, version: 2, instructions: "Two sentences." };
  instructions().value = "Three sentences.";
  save();
  await until(() => all(".differences").length === 1);
  return { ...shownAgent, instructions, save, choose, saved: () => stored };
}

test("an agent that was changed elsewhere shows the differences, and a save after it is confirmed", async () => {
  const { all, instructions, save, choose, saved, toasts } = await agentInConflict();
  assert.equal(document.activeElement, all(".problem h2")[0]);
  assert.equal(textOf(all(".problem h2")[0]), "This agent was changed in another tab or by another program");
  assert.deepEqual(all(".differences tbody tr").map((row) => [...row.children].map(textOf)), [
    ["Instructions", "Two sentences.", "Three sentences."],
  ]);
  assert.deepEqual([instructions().value, toasts], ["Three sentences.", []]);

  choose("Use my form after version 2");
  await until(() => all(".differences").length === 0);
  assert.equal(instructions().value, "Three sentences.");
  save();
  await until(() => toasts.length === 1);
  assert.deepEqual([toasts[0], saved().instructions], ["Saved as version 3.", "Three sentences."]);
});

test("the version of an agent that was saved elsewhere can be loaded instead", async () => {
  const { all, instructions, choose, saved } = await agentInConflict();
  choose("Load version 2");
  await until(() => all(".differences").length === 0);
  assert.deepEqual([instructions().value, saved().version], ["Two sentences.", 2]);
});

const THINGS = { job: jobPage, run: runPage, video: projectPage, workbook: sheetPage, agent: agentPage, webhook: webhookPage };

for (const [name, pageOf] of Object.entries(THINGS)) {
  test(`the page of a ${name} shows bars until it is there, and the problem if it is missing`, async () => {
    let answer = () => {};
    const waiting = new Promise((resolve) => (answer = resolve));
    const whole = shown((context) => pageOf(context, "id_1"), new Proxy({}, { get: () => () => waiting }));
    await until(() => whole.all(".skeleton").length === 1 && whole.requests.length === 1);
    assert.match(textOf(whole.all(".skeleton [role=status]")[0]), new RegExp(`^Loading the ${name}…$`));
    answer(refusal(404, "NOT_FOUND"));
    await until(() => whole.all(".problem").length === 1);
    assert.deepEqual([whole.all(".skeleton").length, whole.requests.length], [0, 1]);
  });
}

test("a list that is filtered does not say that there is nothing, and its filter can be cleared", async () => {
  for (const [pageOf, path, items, value, text, none] of [
    [runsPage, "/ideations", "runs", "failed", "No runs match status “Failed”.", "No runs yet."],
    [sheetsPage, "/sessions", "sessions", "CLOSED", "No workbooks match state “Closed”.", "No workbooks yet. Choose a file above."],
  ]) {
    const { all, requests } = shown(pageOf, { [`GET ${path}`]: () => success({ [items]: [], cursor: null }) });
    const says = (words) => until(() => all(".empty").length > 0 && textOf(all(".empty")[0]).startsWith(words));
    await says(none);
    const [select] = all(".filters select");
    select.value = value;
    select.dispatchEvent(new window.Event("change", { bubbles: true }));
    await says(text);
    all(".empty button")[0].click();
    await says(none);
    assert.equal(select.value, "");
    assert.deepEqual(requests.map(({ query }) => query[select.name] ?? ""), ["", value, ""]);
    page.leave();
  }
});
