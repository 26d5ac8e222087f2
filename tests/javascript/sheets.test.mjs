/** The page of a workbook: what is typed, which blocks are read, and how a session is followed. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Refused } from "../../clients/javascript/src/millrace/errors.js";
import { SheetSession, columnName } from "../../clients/javascript/src/millrace/sheet_session.js";
import { CellStore } from "../../functions/console/static/apps/sheets/parts/cell_store.js";
import { stepsOf } from "../../functions/console/static/apps/sheets/parts/chat.js";
import { areaOf, contains, qualifiedArea } from "../../functions/console/static/apps/sheets/parts/ranges.js";
import { obstacleOf } from "../../functions/console/static/apps/sheets/parts/states.js";
import { editText, shownText, typedInput } from "../../functions/console/static/apps/sheets/parts/typed_input.js";

const SHEETS = [{ id: 1, name: "Data", rows: 2000, columns: 5, hidden: false }];
const SESSION = { sessionId: "ses_1", state: "ACTIVE", version: 1, sheets: SHEETS, lastEventId: 4, activeJobId: null, errors: [] };
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** A followed session with a fake channel and fake requests; `deliver` sends it events. */
function following({ blocked = false, cells = (where) => ({ rows: [[where.range]] }) } = {}) {
  const asked = [];
  let handlers = {};
  let current = SESSION;
  const sheets = {
    async cells(_, where) {
      asked.push(where.range);
      return cells(where);
    },
    getIfChanged: async (_, last) => (current.lastEventId === last ? null : current),
    messages: async () => ({ messages: [{ messageId: "m2" }, { messageId: "m1" }], cursor: null }),
    edit: async () => {},
  };
  const channel = {
    subscribe(topic, options) {
      assert.equal(topic, "session:ses_1");
      assert.equal(options.after, 4);
      handlers = options;
      if (blocked) options.onBlocked();
      return () => {};
    },
  };
  const session = new SheetSession({ sheets, channel }, SESSION);
  session.start();
  const deliver = (...events) => {
    current = { ...current, lastEventId: current.lastEventId + events.length, version: events.at(-1).version ?? current.version };
    handlers.onEvents(events.map((event, index) => [current.lastEventId - events.length + 1 + index, event]));
  };
  const lose = (how) => {
    current = { ...current, version: 9, lastEventId: current.lastEventId + 5 };
    handlers[how](current.lastEventId, { type: "snapshot" });
  };
  const publish = (version) => (current = { ...current, version, lastEventId: current.lastEventId + 1 });
  return { session, asked, deliver, lose, publish };
}

const published = (version, blocks, sheets = SHEETS) => ({ type: "version", version, blocks, sheets, changed: [], title: "t", by: "user" });

test("what is typed is a number, a formula, a boolean or text", () => {
  const values = { "12": 12, "-3.5": -3.5, ".5": 0.5, "1e3": 1000, "0": 0, "": null, "true": true, "00123": "00123", "'=x": "=x", "1234567890123456": "1234567890123456", "12 apples": "12 apples", "-": "-", "=": "=" };
  for (const [typed, value] of Object.entries(values)) assert.deepEqual(typedInput(typed), { value }, typed);
  assert.deepEqual(typedInput(" =A1*2"), { formula: "=A1*2" });
});

test("the editor begins with what writes the same cell again", () => {
  for (const cell of [12, "text", "00123", "12", "=x", true, null, "TRUE", "'quoted"]) {
    assert.deepEqual(typedInput(editText(cell)), { value: cell }, String(cell));
  }
  assert.equal(editText({ value: 4, formula: "=A1*2", text: "4.00" }), "=A1*2");
  assert.equal(shownText({ value: 4, formula: "=A1*2", text: "4.00" }), "4.00");
  assert.equal(shownText(false), "FALSE");
});

test("ranges are read with their sheet, whatever its name has", () => {
  assert.deepEqual(areaOf("b9:A2"), { top: 2, left: 1, bottom: 9, right: 2 });
  assert.deepEqual(qualifiedArea("Wow! 2!B2"), { sheet: "Wow! 2", area: { top: 2, left: 2, bottom: 2, right: 2 } });
  assert.equal(qualifiedArea("Data!"), null);
  assert.equal(contains(areaOf("B2:D9"), 9, 4), true);
  assert.equal(contains(areaOf("B2:D9"), 10, 4), false);
  assert.deepEqual([1, 26, 27, 702, 703, 16384].map(columnName), ["A", "Z", "AA", "ZZ", "AAA", "XFD"]);
});

test("a block is read once, and after a version only the blocks that it names", async () => {
  const { session, asked, deliver } = following();
  await Promise.all([session.block("Data", 1, 1), session.block("Data", 1, 1), session.block("Data", 513, 1)]);
  assert.deepEqual(asked, ["A1:BL512", "A513:BL1024"]);

  deliver(published(2, [{ sheet: 1, row: 513, column: 1, digest: "d" }]));
  await Promise.all([session.block("Data", 1, 1), session.block("Data", 513, 1)]);
  assert.deepEqual(asked.slice(2), ["A513:BL1024"]);
});

test("every block is read again if a version names none, or renames a sheet", async () => {
  for (const version of [published(2, null), published(2, [], [{ ...SHEETS[0], name: "Other" }])]) {
    const { session, asked, deliver } = following();
    await session.block("Data", 1, 1);
    deliver(version);
    await session.block("Data", 1, 1);
    assert.equal(asked.length, 2);
  }
});

test("every block is read again after a snapshot, because it does not tell which blocks have changed", async () => {
  for (const how of ["onSnapshot", "onBehind"]) {
    const { session, asked, lose } = following();
    await session.block("Data", 1, 1);
    lose(how);
    await settle();
    await session.block("Data", 1, 1);
    assert.deepEqual([asked.length, session.view.session.version], [2, 9], how);
  }
});

test("the session and its messages are read again after events", async () => {
  const { session, deliver } = following();
  await settle();
  assert.deepEqual(session.view.messages.map(({ messageId }) => messageId), ["m1", "m2"]);
  deliver(published(2, []));
  await settle();

  assert.equal(session.view.session.version, 2);
  assert.deepEqual(session.view.versions.map(({ version }) => version), [2]);
  assert.equal(session.view.transport, "channel");
});

test("without a channel the session is read every few seconds, and all blocks after a new version", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { session, asked, publish } = following({ blocked: true });
  assert.equal(session.view.transport, "polling");
  await session.block("Data", 1, 1);
  for (const reads of [1, 2]) {
    context.mock.timers.tick(3_000);
    await settle();
    await session.block("Data", 1, 1);
    assert.equal(asked.length, reads);
    publish(2);
  }
  session.stop();
});

test("a block whose text is too long for one response is read in halves", async () => {
  const refused = () => {
    throw new Refused(422, { code: "VALIDATION_FAILED", message: "m", details: { fields: [{ field: "range", rule: "r" }], retryAfterSeconds: null }, retryable: false });
  };
  const { session, asked } = following({ cells: ({ range }) => (range.endsWith("BL512") && range.startsWith("A1:") ? refused() : { rows: [[range]] }) });
  const rows = await session.block("Data", 1, 1);

  assert.deepEqual(asked, ["A1:BL512", "A1:BL256", "A257:BL512"]);
  assert.equal(rows.length, 257);
  assert.deepEqual([rows[0], rows[256]], [["A1:BL256"], ["A257:BL512"]]);
});

test("a cell that was written is shown until it is published", async () => {
  const { session } = following({ cells: () => ({ rows: [[1, 2]] }) });
  let changes = 0;
  const store = new CellStore(session, "Data", { onChange: () => (changes += 1), onProblem: assert.fail });
  assert.equal(store.at(1, 2), undefined);
  await settle();
  assert.deepEqual([store.at(1, 2), store.at(2, 9)], [2, null]);
  store.write(1, 2, 7);
  assert.equal(store.at(1, 2), 7);
  store.settle(1, 2);
  assert.equal(store.at(1, 2), 2);
  assert.ok(changes >= 3);
});

test("a sheet of any size keeps a bounded number of blocks, and reads the others again", async () => {
  const { session } = following({ cells: () => ({ rows: [[1]] }) });
  let reads = 0;
  const counting = { block: (...where) => ((reads += 1), session.block(...where)) };
  const store = new CellStore(counting, "Data", { onChange: () => {}, onProblem: assert.fail });
  for (let block = 0; block < 65; block += 1) {
    store.at(block * 512 + 1, 1);
    await settle();
  }
  assert.equal(reads, 65);
  store.at(64 * 512 + 1, 1);
  assert.equal(reads, 65);
  store.at(1, 1);
  assert.equal(reads, 66);
});

test("steps are the calls of tools with the ranges that they changed", () => {
  const tool = (status, detail) => ({ type: "tool", key: "c1", title: "Write D2:D9", name: "write_range", status, detail });
  const subtasks = [{ type: "subtask", key: "c1", title: "Write D2:D9", status: "finished", progress: null }];
  const [step] = stepsOf({ tools: [tool("started", {}), tool("finished", { changes: [{ kind: "range", id: "Data!D2:D9", count: 8 }] })], subtasks });

  assert.deepEqual(step, { key: "c1", title: "Write D2:D9", status: "finished", ranges: ["Data!D2:D9"], error: null });
});

test("a session that is not active says why", () => {
  assert.equal(obstacleOf(SESSION), null);
  assert.match(obstacleOf({ ...SESSION, state: "ERROR", errors: [{ message: "The file is encrypted." }] }), /encrypted/);
  assert.match(obstacleOf({ ...SESSION, state: "INITIALIZING", activeJobId: "job_1" }), /being read/);
});
