/** The console's applications: each in its own folder, found by its pipeline, and unknown to the core. */

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { applications } from "../../functions/console/static/apps.js";
import { Applications } from "../../functions/console/static/core/app/applications.js";
import { navigation } from "../../functions/console/static/core/app/header.js";
import { jsonOutput } from "../../functions/console/static/core/app/outputs.js";
import { jsonOf } from "../../functions/console/static/core/parts/json_output.js";
import { EMPTY_VIEW } from "../../clients/javascript/src/millrace.js";

const STATIC = fileURLToPath(new URL("../../functions/console/static/", import.meta.url));
const FOLDERS = readdirSync(join(STATIC, "apps"));
const IMPORT = /(?:from|import) "(\.[^"]+)"/g;

/** The files of a folder and its subfolders with this suffix, as paths in the static folder. */
function files(folder, suffix) {
  const all = readdirSync(join(STATIC, folder), { recursive: true });
  return all.filter((name) => name.endsWith(suffix)).map((name) => `${folder}/${name}`);
}

/** The files that a file of the console imports, as paths in the static folder. */
function imports(file) {
  const text = readFileSync(join(STATIC, file), "utf8");
  return [...text.matchAll(IMPORT)].map(([, path]) => normalize(join(dirname(file), path)));
}

test("apps.js lists the application of every folder", () => {
  const listed = imports("apps.js").filter((path) => path.endsWith("/index.js"));

  assert.deepEqual(listed.sort(), FOLDERS.map((folder) => `apps/${folder}/index.js`).sort());
  assert.equal(new Set(applications.map(({ pipeline }) => pipeline)).size, applications.length);
});

test("the core imports no application", () => {
  for (const file of files("core", ".js")) {
    const foreign = imports(file).filter((path) => path.startsWith("apps"));
    assert.deepEqual(foreign, [], file);
  }
});

test("an application imports the core, the client and its own folder only", () => {
  for (const folder of FOLDERS) {
    for (const file of files(`apps/${folder}`, ".js")) {
      const allowed = ["core/", "millrace.js", "millrace/", "../../../docs/api/types", `apps/${folder}/`];
      const foreign = imports(file).filter((path) => !allowed.some((each) => path.startsWith(each)));
      assert.deepEqual(foreign, [], file);
    }
  }
});

test("a style sheet of an application defines no class of the core or of another application", () => {
  const classes = (folder) =>
    files(folder, ".css").flatMap((file) =>
      [...readFileSync(join(STATIC, file), "utf8").matchAll(/^(?:  )?\.([a-z][\w-]*)/gm)].map(([, name]) => name));
  const core = new Set(classes("core/styles"));
  const own = FOLDERS.map((folder) => new Set(classes(`apps/${folder}`)));

  const all = own.flatMap((names) => [...names]);

  assert.ok(all.length > 0 && core.size > 0);
  assert.deepEqual(all.filter((name) => core.has(name)), []);
  assert.equal(new Set(all).size, all.length);
});

/** An application that only a test has. */
function application(pipeline, { form = true, lists = [] } = {}) {
  const path = `/console/${pipeline}`;
  return {
    ...{ pipeline, label: `Label of ${pipeline}`, stages: [], routes: [], output: () => {} },
    form: form ? { path, label: `New ${pipeline}`, title: "", description: "" } : null,
    lists: lists.map((label) => ({ path: `${path}/${label}`, label })),
  };
}

test("an application is found by the pipeline of a job", () => {
  const song = application("song");

  assert.equal(new Applications([application("map"), song]).of("song"), song);
});

test("an unknown pipeline has its own name, no form, and output in JSON", () => {
  const found = new Applications([application("song")]).of("poem_cycle");

  assert.equal(found.label, "Poem cycle");
  assert.equal(found.form, null);
  assert.deepEqual(found.stages, []);
  assert.equal(found.output, jsonOutput);
});

test("the output in JSON is the result or, before there is one, the finished items", () => {
  const items = [{ type: "item", stage: "write", key: "1", data: { line: "a" } }];

  assert.equal(jsonOf(EMPTY_VIEW), "");
  assert.deepEqual(JSON.parse(jsonOf({ ...EMPTY_VIEW, items })), [{ line: "a" }]);
  assert.deepEqual(JSON.parse(jsonOf({ ...EMPTY_VIEW, items, result: { lines: ["a"] } })), { lines: ["a"] });
});

test("the navigation has the forms in one menu, and beside it the jobs, the applications' lists and the agents", () => {
  const all = [application("map", { form: false }), application("song", { lists: ["Albums"] }), application("poem")];

  const { create, lists } = navigation(new Applications(all));

  assert.deepEqual(create.map(({ path }) => path), ["/console/song", "/console/poem"]);
  assert.deepEqual(lists.map(({ label }) => label), ["Jobs", "Albums", "Agents"]);
});

test("a new job is created with the first form", () => {
  assert.equal(new Applications([application("map", { form: false }), application("song")]).defaultFormPath, "/console/song");
  assert.equal(new Applications([]).defaultFormPath, "/");
});

test("every address belongs to one application", () => {
  const links = applications.flatMap(({ form, lists }) => [...(form ? [form] : []), ...lists]);
  const paths = new Set(links.map(({ path }) => path)); // one page can be the list and the form
  for (const path of paths) {
    const matching = applications.flatMap(({ routes }) => routes).filter(({ pattern }) => pattern.test(path));
    assert.equal(matching.length, 1, path);
  }
});
