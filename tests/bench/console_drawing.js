/** Draws the page of a job whose text grows in every frame, and returns what frames cost at each size: console_page.py. */
async ({ at, kind, sizes, frames, step }) => {
  const [{ jobPage }, { Applications }, { applications }, { Watch }] = await Promise.all(
    ["core/pages/job.js", "core/app/applications.js", "apps.js", "millrace/watch.js"].map((path) => import(`${at}${path}`)));
  const words = (index) => `${index} `.padEnd(300, "words of a suggestion ");
  const cards = Array.from({ length: 900 }, (_, index) => ({
    title: `Suggestion ${index}`, rationale: words(index), description: words(index), implementationConsiderations: [words(index)] }));
  const oneCard = [{ title: "Suggestion", rationale: words(0), description: words(0).repeat(2_700), implementationConsiderations: [] }];
  const output = JSON.stringify({ suggestions: kind === "one card" ? oneCard : cards });

  // A real watch, whose connection sends what the bench gives it.
  const waiting = [];
  let wake = () => {};
  const connect = async function* ({ signal }) {
    while (!signal.aborted) {
      while (waiting.length > 0) yield waiting.shift();
      await new Promise((resolve) => (wake = resolve));
    }
  };
  let id = 0;
  const send = (event, numbered = true) => {
    if (numbered) id += 1;
    waiting.push({ kind: "event", type: event.type, id: String(id), at: Date.now(), data: JSON.stringify(event) });
    wake();
  };
  const now = new Date().toISOString();
  const job = {
    jobId: "job_1", pipeline: "suggestion", title: "Checkout", status: "in_progress", stage: null, progress: 0, attempt: 1, retryCount: 0,
    model: "m", agent: null, usage: { inputTokens: 1, outputTokens: 2, costUsd: null, unreportedCalls: 0 }, failure: null, links: { runId: null },
    requestId: null, archived: false, createdAt: now, startedAt: now, endedAt: null, expiresAt: now, streamUrl: "http://127.0.0.1", maxRetries: 2,
    input: { pageOrComponent: "Checkout" }, text: "", items: [], subtasks: [], lastEventId: 0, result: null, history: [], historyIsWhole: true, omitted: [] };
  let watch;
  const api = { connect, getJob: async () => job, cancelJob: async () => {}, resumeJob: async () => job, slot: async () => ({ id: "t", release() {} }) };
  const millrace = { getJob: async () => job, newWatch: (parts) => (watch = new Watch(api, parts)) };
  const config = { awsConsole: null, scriptedModel: true, retention: { jobSeconds: 600, failedJobSeconds: 3600, archiveDays: 30 } };
  const nothing = () => {};
  const context = { applications: new Applications(applications), config, millrace, announce: nothing, toast: nothing, go: nothing,
    setQuery: nothing, setTitle: nothing, signIn: nothing };
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const main = document.getElementById("main");
  main.replaceChildren(jobPage(context, "job_1").element);
  while (document.getElementById("output") === null) await frame();
  send({ type: "connected", jobId: "job_1", pipeline: "suggestion", lastEventId: 0 }, false);
  send({ type: "stage", stage: "generate_suggestions", index: 1, of: 2, attempt: 1 });
  if (kind === "model output") main.querySelector("details.more").open = true;
  await frame();

  let changes = 0;
  new MutationObserver((found) => { changes += found.length; })
    .observe(main, { childList: true, subtree: true, characterData: true, attributes: true });
  let length = 0;
  // The callbacks of a frame run in order: one before the page draws, which was requested first, the page, and one behind it.
  let from = 0;
  const begin = () => {
    from = performance.now();
    requestAnimationFrame(begin);
  };
  begin();
  const draw = async (until) => {
    const before = changes;
    send({ type: "delta", text: output.slice(length, until) });
    length = until;
    while (watch.view.lastEventId < id) await null;
    return new Promise((resolve) => requestAnimationFrame(() => {
      const drawn = performance.now();
      void main.offsetHeight;
      resolve({ draw: drawn - from, layout: performance.now() - drawn, records: changes - before });
    }));
  };
  const median = (all) => all.toSorted((one, other) => one - other)[Math.floor(all.length / 2)];
  const rows = [];
  for (const size of sizes) {
    while (length < size) await draw(Math.min(size, length + 20_000));
    for (let settling = 0; settling < 10; settling += 1) await draw(length + step);
    const measured = [];
    const times = [];
    let before = await frame();
    for (let index = 0; index < frames; index += 1) {
      measured.push(await draw(length + step));
      const after = performance.now();
      times.push(after - before);
      before = after;
    }
    // The page draws text in every second frame.
    const drawing = measured.filter((each) => each.records > 0);
    const of = (name) => median(drawing.map((each) => each[name]));
    rows.push({
      size, fps: 1000 * frames / times.reduce((sum, each) => sum + each, 0), slow: times.filter((each) => each > 50).length,
      drawings: drawing.length / frames, records: of("records"), draw: of("draw"), layout: of("layout"),
    });
  }
  return rows;
}
