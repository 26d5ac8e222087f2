/** What a bundler keeps of the package for one import: minified by esbuild, compressed with gzip at level 9. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { build } from "esbuild";

/** The most bytes for each import. What an application does not import is not in its bundle. */
const MOST = {
  "createClient, getJob": 3_000,
  "createClient, createJob, getJob, cancelJob": 3_000,
  "createClient, Sheets": 4_000,
  "createClient, watchJob": 9_000,
  Millrace: 20_000,
};

async function bundled(names) {
  const contents = `export { ${names} } from "@millrace/client";`;
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: import.meta.dirname ?? process.cwd() },
    ...{ bundle: true, minify: true, format: "esm", target: "es2022", write: false, logLevel: "silent" },
  });
  return outputFiles[0];
}

for (const [names, most] of Object.entries(MOST)) {
  test(`{ ${names} } needs less than ${most} bytes`, async (t) => {
    const { contents } = await bundled(names);
    const { length } = gzipSync(contents, { level: 9 });
    t.diagnostic(`${contents.length} bytes minified, ${length} with gzip`);
    assert.ok(length < most, `${length} bytes`);
  });
}

test("a bundle of one operation contains neither the watch nor the channel", async () => {
  const { text } = await bundled("createClient, getJob");
  for (const foreign of ["pagehide", "WebSocket", "/ideations", "/projects"]) assert.ok(!text.includes(foreign), foreign);
});
