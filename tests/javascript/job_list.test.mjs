/** Watching a list: new jobs and changes appear, and the rows are always those of the filter that is shown. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { JobListWatch } from "../../clients/javascript/src/millrace/job_list.js";
import { Unreachable } from "../../clients/javascript/src/millrace/errors.js";

const idOf = (number) => `job_a${String(number).padStart(26, "0")}`;

/** A store of jobs that is read page by page, as the API does: the cursor is the id at which a page ended. */
class Store {
  jobs = new Map();
  requests = [];
  fault = null;

  add(number, status = "completed", more = {}) {
    this.jobs.set(number, { jobId: idOf(number), status, updatedAt: "2026-11-27T00:00:00Z", progress: 0, ...more });
  }

  read = async ({ limit, cursor, status }) => {
    this.requests.push({ cursor, status });
    if (this.fault !== null) throw this.fault;
    const numbers = [...this.jobs.keys()].sort((a, b) => b - a).filter((each) => cursor === null || each < Number(cursor));
    const found = numbers.filter((each) => !status || this.jobs.get(each).status === status);
    const page = found.slice(0, limit);
    return { jobs: page.map((each) => ({ ...this.jobs.get(each) })), cursor: found.length > limit ? String(page.at(-1)) : null };
  };
}

class Page extends EventTarget {
  hidden = false;

  show(visible) {
    this.hidden = !visible;
    this.dispatchEvent(new Event("visibilitychange"));
  }
}

function watching(t, store, filter = {}) {
  const page = new Page();
  // Only `refresh` reads again, so that a test says when.
  const times = { live: 3_600_000, quiet: 3_600_000, firstWait: 3_600_000 };
  const list = new JobListWatch(store.read, { limit: 3, ...filter }, { page, times, random: () => 1 });
  t.after(() => list.stop());
  return { list, page };
}

const numbers = (list) => list.snapshot.jobs.map(({ jobId }) => Number(jobId.slice(-26)));
const settle = () => new Promise((resolve) => setImmediate(resolve));
async function refreshed(list) {
  await settle();
  list.refresh();
  await new Promise((resolve) => setTimeout(resolve));
  await settle();
}

test("new jobs appear, and running ones change", async (t) => {
  const store = new Store();
  for (const each of [1, 2]) store.add(each);
  const { list } = watching(t, store);
  list.connect();
  await settle();
  assert.deepEqual([list.snapshot.state, numbers(list)], ["ready", [2, 1]]);

  store.add(3, "in_progress", { progress: 10 });
  await refreshed(list);
  assert.deepEqual([numbers(list), list.snapshot.jobs[0].progress], [[3, 2, 1], 10]);
  store.add(3, "completed", { progress: 100 });
  await refreshed(list);
  assert.equal(list.snapshot.jobs[0].status, "completed");
});

test("a chosen filter shows no job of the one before, also if its response comes late", async (t) => {
  const store = new Store();
  store.add(1);
  store.add(2, "failed");
  const late = [];
  const once = store.read({ limit: 3, cursor: null });
  const unfiltered = [() => once, () => new Promise((resolve) => late.push(resolve))];
  const { list } = watching(t, { read: async (filter) => (filter.status ? store.read(filter) : unfiltered.shift()()) });
  list.connect();
  await settle();
  assert.deepEqual(numbers(list), [2, 1]);
  list.refresh();
  await settle();
  assert.equal(late.length, 1);
  list.setFilter({ limit: 3, status: "failed" });
  assert.deepEqual([list.snapshot.state, numbers(list)], ["loading", [2]]);
  await settle();
  late[0]({ jobs: [...store.jobs.values()], cursor: null });
  await settle();

  assert.deepEqual([list.snapshot.filter.status, numbers(list)], ["failed", [2]]);
});

test("older pages follow without a gap or a repeat while jobs are created", async (t) => {
  const store = new Store();
  for (let each = 1; each <= 8; each += 1) store.add(each);
  const { list } = watching(t, store);
  list.connect();
  await settle();
  store.add(9);
  await list.loadMore();
  await refreshed(list);
  await Promise.all([list.loadMore(), list.loadMore()]);

  assert.deepEqual(numbers(list), [9, 8, 7, 6, 5, 4, 3, 2, 1]);
  assert.equal(list.snapshot.more, false);
});

test("a live job of an older page changes too, with at most one further request", async (t) => {
  const store = new Store();
  for (let each = 1; each <= 12; each += 1) store.add(each, each === 2 || each === 5 ? "in_progress" : "completed");
  const { list } = watching(t, store);
  list.connect();
  await settle();
  for (let each = 0; each < 3; each += 1) await list.loadMore();
  for (const each of [2, 5]) store.add(each, "failed");
  for (let each = 0; each < 3; each += 1) {
    const before = store.requests.length;
    await refreshed(list);
    assert.ok(store.requests.length - before <= 2);
  }

  assert.deepEqual(list.snapshot.jobs.filter((job) => job.status === "in_progress"), []);
  assert.equal(numbers(list).length, 12);
});

test("jobs that no longer match or are deleted disappear", async (t) => {
  const store = new Store();
  for (let each = 1; each <= 5; each += 1) store.add(each, "in_progress");
  const { list } = watching(t, store, { status: "in_progress" });
  list.connect();
  await settle();
  await list.loadMore();
  store.add(5, "completed");
  store.jobs.delete(4);
  await refreshed(list);

  assert.deepEqual(numbers(list), [3, 2, 1]);
});

test("the list begins again if more than a page of jobs was created in between", async (t) => {
  const store = new Store();
  for (const each of [1, 2]) store.add(each);
  const { list } = watching(t, store);
  list.connect();
  await settle();
  for (let each = 3; each <= 9; each += 1) store.add(each);
  await refreshed(list);

  assert.deepEqual([numbers(list), list.snapshot.more], [[9, 8, 7], true]);
});

test("an empty page with a cursor says that there may be more", async (t) => {
  const answers = [{ jobs: [], cursor: "c" }, { jobs: [], cursor: null }];
  const { list } = watching(t, { read: async () => answers.shift() });
  list.connect();
  await settle();
  assert.deepEqual([list.snapshot.state, list.snapshot.more], ["ready", true]);
  await list.loadMore();

  assert.equal(list.snapshot.more, false);
});

test("a cancelled job is not live again through a response that was requested before", async (t) => {
  const store = new Store();
  store.add(1, "in_progress");
  const { list } = watching(t, store);
  list.connect();
  await settle();
  list.put({ ...store.jobs.get(1), status: "cancelled", updatedAt: "2026-11-27T00:00:00.5Z" });
  list.put({ ...store.jobs.get(1), jobId: idOf(77) });
  await refreshed(list);

  assert.deepEqual(list.snapshot.jobs.map((job) => job.status), ["cancelled"]);
});

test("a hidden page reads nothing, and reads when it is shown", async (t) => {
  const store = new Store();
  const { list, page } = watching(t, store);
  page.show(false);
  list.connect();
  await settle();
  assert.equal(store.requests.length, 0);
  page.show(true);
  await settle();

  assert.deepEqual([store.requests.length, list.snapshot.state], [1, "ready"]);
});

test("a failed reading leaves the jobs, says so, and is repeated", async (t) => {
  const store = new Store();
  store.fault = new Unreachable("the server cannot be reached");
  const { list } = watching(t, store);
  list.connect();
  await settle();
  assert.deepEqual([list.snapshot.state, list.snapshot.problem.kind], ["error", "unreachable"]);
  store.fault = null;
  store.add(1);
  await refreshed(list);
  store.fault = new Unreachable("the server cannot be reached");
  await refreshed(list);

  assert.deepEqual([list.snapshot.state, list.snapshot.problem.kind, numbers(list)], ["ready", "unreachable", [1]]);
});

test("a stopped list reads nothing and can be connected again", async (t) => {
  const store = new Store();
  const { list } = watching(t, store);
  list.connect();
  list.stop();
  list.connect();
  list.connect();
  await settle();
  list.stop();
  store.add(1);
  await refreshed(list);

  assert.deepEqual([store.requests.length, numbers(list)], [1, []]);
});

test("known jobs that match are shown at once after another filter is chosen, and then only those of the response", async (t) => {
  const store = new Store();
  for (let each = 1; each <= 6; each += 1) store.add(each, each % 2 === 0 ? "failed" : "completed", { title: `Topic ${each}` });
  const { list } = watching(t, store, { limit: 2 });
  list.connect();
  await settle();
  for (let each = 0; each < 2; each += 1) await list.loadMore();
  store.add(4, "completed");
  list.setFilter({ limit: 2, status: "failed" });
  assert.deepEqual([list.snapshot.state, numbers(list), list.snapshot.more], ["loading", [6, 4, 2], false]);
  await settle();
  assert.deepEqual([list.snapshot.state, numbers(list)], ["ready", [6, 2]]);

  list.setFilter({ limit: 2, search: "TOPIC 2" });
  assert.deepEqual(numbers(list), [2]);
  // The rest of the list is read again, so that there is no gap between the newest jobs and those that were known.
  list.setFilter({ limit: 2 });
  await settle();
  assert.deepEqual([numbers(list), list.snapshot.more], [[6, 5], true]);
});

test("a reading that changes nothing publishes the same jobs", async (t) => {
  const store = new Store();
  for (const each of [1, 2]) store.add(each);
  const { list } = watching(t, store);
  list.connect();
  await settle();
  const { jobs } = list.snapshot;
  await refreshed(list);
  assert.equal(list.snapshot.jobs, jobs);
  store.add(2, "completed", { progress: 100 });
  await refreshed(list);

  assert.notEqual(list.snapshot.jobs, jobs);
  assert.equal(list.snapshot.jobs[1], jobs[1]);
});

test("a page in which the user does nothing reads an unchanged list once a minute, and at once when the user is back", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const store = new Store();
  store.add(1);
  const page = new Page();
  const list = new JobListWatch(store.read, {}, { page, now: () => Date.now() });
  t.after(() => list.stop());
  list.connect();
  /** Let the seconds pass one by one, and return how many readings began. */
  const pass = async (seconds) => {
    const before = store.requests.length;
    for (let each = 0; each < seconds; each += 1) {
      t.mock.timers.tick(1_000);
      await settle();
    }
    return store.requests.length - before;
  };
  await settle();
  assert.ok((await pass(600)) <= 13);
  assert.equal(await pass(600), 10);

  await pass(30);
  const before = store.requests.length;
  page.dispatchEvent(new Event("pointermove"));
  await settle();
  assert.equal(store.requests.length - before, 1);
  store.add(1, "in_progress");
  page.dispatchEvent(new Event("keydown"));
  await pass(10);
  assert.ok((await pass(600)) >= 100);
});
