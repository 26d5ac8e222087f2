/** Uses the list of thousands of jobs, and returns the milliseconds of each act: console_lists.py. */
async ({ at, count, latency }) => {
  const [{ jobsPage }, { Applications }, { applications }, { JobListWatch }] = await Promise.all(
    ["core/pages/jobs.js", "core/app/applications.js", "apps.js", "millrace/job_list.js"].map((path) => import(`${at}${path}`)));
  const statuses = (index) => (index % 50 === 7 ? "failed" : index % 100 === 13 ? "cancelled" : index < 3 ? "in_progress" : "completed");
  const begin = Date.now() - 3_600_000;
  const subjects = ["Checkout", "Search results", "Order history", "Invoice", "Account settings"];
  const jobs = Array.from({ length: count }, (_, index) => {
    const status = statuses(index);
    const at = (seconds) => new Date(begin - index * 60_000 + seconds * 1_000).toISOString();
    const live = status === "in_progress";
    return {
      jobId: `job_a${String(count - index).padStart(26, "0")}`, pipeline: index % 3 ? "suggestion" : "ideation", title: `${subjects[index % 5]} ${index}`,
      status, stage: live ? "generate_suggestions" : null, progress: live ? 40 : 100, model: "gpt-x", attempt: 1, retryCount: 0,
      failure: status === "failed" ? { code: "MODEL_TIMEOUT", message: "slow" } : null, usage: { inputTokens: 10, outputTokens: 20, costUsd: "0.01", unreportedCalls: 0 },
      createdAt: at(0), startedAt: at(1), endedAt: live ? null : at(60), updatedAt: at(60), links: {} };
  });
  let requests = 0;
  const read = async ({ cursor, limit, search = "", status, pipeline }) => {
    requests += 1;
    await new Promise((resolve) => setTimeout(resolve, latency));
    const found = jobs.filter((job) => (!status || job.status === status) && (!pipeline || job.pipeline === pipeline)
      && job.title.toLowerCase().includes(search.toLowerCase()));
    const from = Number(cursor ?? 0);
    const next = from + limit < found.length ? String(from + limit) : null;
    return { jobs: JSON.parse(JSON.stringify(found.slice(from, from + limit))), cursor: next };
  };
  let list;
  const nothing = () => {};
  const config = { scriptedModel: true, retention: { jobSeconds: 600, failedJobSeconds: 3600, archiveDays: 30 } };
  const context = { applications: new Applications(applications), config, announce: nothing, toast: nothing, go: nothing, signIn: nothing,
    setQuery: nothing, setTitle: nothing, millrace: { newJobListWatch: (filter) => (list = new JobListWatch(read, filter)) } };
  const main = document.getElementById("main");
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const shown = () => [...main.querySelectorAll("tbody tr:not(.space)")];
  // From an act of the user to the end of the frame that shows what it asked for.
  const until = async (act, done) => {
    const from = performance.now();
    await act();
    while (!done()) await frame();
    void main.offsetHeight;
    return performance.now() - from;
  };
  const figures = {};
  figures["first page"] = await until(() => main.replaceChildren(jobsPage(context).element), () => shown().length > 0);
  figures[`all ${count} jobs, a page after the other`] = await until(async () => {
    while (list.snapshot.more) await list.loadMore();
  }, () => list.snapshot.items.length === count);
  await frame();

  // A jump of 3,000 pixels in every frame, to the end.
  const times = [];
  let before = await frame();
  for (let top = 0; top < document.body.scrollHeight; top += 3_000) {
    scrollTo(0, top);
    const now = await frame();
    times.push(now - before);
    before = now;
  }
  times.sort((one, other) => one - other);
  figures["a frame while scrolling, median"] = times[Math.floor(times.length / 2)];
  figures["a frame while scrolling, longest"] = times.at(-1);
  await until(() => {}, () => shown().length > 20);
  scrollTo(0, 0);
  await until(() => {}, () => shown()[0]?.textContent.includes("Checkout 0"));

  const choose = (id, value) => () => {
    const field = document.getElementById(id);
    field.value = value;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const all = (text) => () => shown().length > 0 && shown().every((row) => row.textContent.includes(text));
  figures["the known failed jobs after choosing the filter"] = await until(choose("status", "failed"), all("Failed"));
  figures["... and all of them from the server"] = await until(() => {}, () => list.snapshot.state === "ready");
  figures["all jobs again after clearing it"] = await until(choose("status", ""), () => list.snapshot.state === "ready" && shown().length >= 20);
  while (list.snapshot.more) await list.loadMore();
  await frame();
  figures["selecting all"] = await until(() => main.querySelector("thead input").click(),
    () => main.querySelector(".bulk").textContent.includes(`${count} selected`));
  figures["selecting one"] = await until(() => main.querySelector("tbody input").click(),
    () => main.querySelector(".bulk").textContent.includes(`${count - 1} selected`));
  figures["a reading that changes one job"] = await until(() => {
    jobs[0] = { ...jobs[0], progress: 55, updatedAt: new Date().toISOString() };
    list.refresh();
  }, () => shown()[0]?.textContent.includes("55%"));
  const field = document.getElementById("search");
  figures["search, with 250 ms without typing"] = await until(() => {
    field.value = "invoice 48";
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }, all("Invoice 48"));
  figures["... from the server"] = await until(() => {}, () => list.snapshot.state === "ready");
  list.stop();
  return { figures, requests, elements: document.getElementsByTagName("*").length };
}
