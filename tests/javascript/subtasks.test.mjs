/** The list of a job's subtasks and tool calls in the console. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { rowsOf } from "../../functions/console/static/core/parts/subtask_list.js";

const subtask = (title, status, progress = null) => ({ type: "subtask", key: title, title, status, progress });

test("each subtask is shown with its state, in the order in which they began", () => {
  const { rows, hidden } = rowsOf([subtask("a", "finished", 100), subtask("b", "failed"), subtask("c", "running", 40), subtask("d", "started")]);
  assert.deepEqual(rows.map((row) => [row.title, row.state, row.progress]), [
    ["a", "done", null],
    ["b", "failed", null],
    ["c", "running", 40],
    ["d", "running", null],
  ]);
  assert.equal(hidden, 0);
});

test("of many subtasks the oldest finished ones are left out, and none that is not finished", () => {
  const finished = ["a", "b", "c", "d"].map((title) => subtask(title, "finished"));
  const { rows, hidden } = rowsOf([subtask("open", "started"), ...finished], 3);
  assert.deepEqual(rows.map((row) => row.title), ["open", "c", "d"]);
  assert.equal(hidden, 2);
  const open = ["a", "b", "c", "d"].map((title) => subtask(title, "started"));
  assert.deepEqual(rowsOf([...open, ...finished], 3).rows.map((row) => row.title), ["a", "b", "c", "d"]);
});
