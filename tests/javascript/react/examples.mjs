/**
 * The examples on the client's page, as one module, against the API of `process.env.API`: each block runs, and each component is
 * rendered and used.
 */

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";

import { transform } from "esbuild";
import { Window } from "happy-dom";

const window = new Window({ url: "http://localhost/" });
Object.assign(globalThis, { window, document: window.document });
Object.defineProperty(globalThis, "navigator", { value: window.navigator, configurable: true });
process.setSourceMapsEnabled(true);

const { StrictMode, act, createElement } = await import("react");
const { createRoot } = await import("react-dom/client");

/** Run the page, and return what it exports and the lines that it prints. */
async function run() {
  const options = { loader: "tsx", jsx: "automatic", target: "es2022", sourcemap: "inline", sourcefile: "README.md" };
  const { code } = await transform(await readFile("page.tsx", "utf8"), options);
  await writeFile("page.mjs", code);
  const lines = [];
  const { log } = console;
  console.log = (...values) => void lines.push(values.map(String).join(" "));
  try {
    return { exported: await import(`${process.cwd()}/page.mjs`), lines };
  } finally {
    console.log = log;
  }
}

/** Mount a component in StrictMode, which does it twice, with its effects. `shows` resolves when its text matches. */
async function mount(component, properties = {}) {
  const container = document.body.appendChild(document.createElement("div"));
  const root = createRoot(container);
  globalThis.IS_REACT_ACT_ENVIRONMENT = true;
  await act(async () => root.render(createElement(StrictMode, null, createElement(component, properties))));
  globalThis.IS_REACT_ACT_ENVIRONMENT = false;
  const shows = async (pattern) => {
    while (!pattern.test(container.textContent)) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  return { container, shows, click: () => container.querySelector("button").click(), unmount: () => root.unmount() };
}

test("the blocks of the page run, and its components show what they promise", async () => {
  const { exported, lines } = await run();
  const printed = lines.join("\n");
  assert.match(printed, /^complete 100 \d+ $/m);
  assert.match(printed, /^3 suggestions$/m);
  assert.match(printed, /^1 \w+\n(.*\n)*\d+ complete$/m);
  assert.match(printed, /^422 VALIDATION_FAILED input.pageOrComponent: /m);
  assert.match(printed, /^3 suggestions after the resumption$/m);
  assert.match(printed, /^the job is completed$/m);
  const [, jobId] = /(job_\w+): /.exec(printed);

  const mounted = [];
  try {
    const names = ["Suggestions", "NewSuggestion", "Completed", "Chat"];
    for (const name of names) mounted.push(await mount(exported[name], { jobId, id: "chat" }));
    const [suggestions, created, list, chat] = mounted;
    created.click();
    chat.click();

    await suggestions.shows(/^complete/);
    assert.equal(suggestions.container.querySelectorAll("li").length, 3);
    await created.shows(/^complete: [1-9]\d* characters$/);
    await list.shows(/Checkout/);
    await chat.shows(/^user: The page of an order.*assistant: .{20}/s);
  } finally {
    for (const { unmount } of mounted) unmount();
  }
});
