/** The tab's id: a reload keeps it, a duplicated tab gets another. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { claimTab } from "../../clients/javascript/src/millrace/tab.js";

function storage(entries = {}) {
  const kept = new Map(Object.entries(entries));
  return { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => void kept.set(key, value), kept };
}

/** The part of the Web Locks API that the client uses: exclusive locks in order, and abortable requests. */
function lockManager() {
  const tails = new Map();
  return {
    request(name, { signal }, use) {
      const turn = tails.get(name) ?? Promise.resolve();
      const held = new Promise((resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
        void turn.then(() => {
          if (signal.aborted) return;
          resolve(use());
        });
      });
      tails.set(name, Promise.allSettled([turn, held]));
      return held;
    },
  };
}

test("a reloaded page has the id of the page before it", async () => {
  const parts = { storage: storage(), locks: lockManager() };
  const before = await claimTab(parts);
  before.release();

  assert.equal((await claimTab(parts)).id, before.id);
});

test("a reloaded page waits until the page before it has released the id", async () => {
  const parts = { storage: storage(), locks: lockManager() };
  const before = await claimTab(parts);
  const after = claimTab(parts);
  setTimeout(before.release, 20);

  assert.equal((await after).id, before.id);
});

test("a duplicated tab, whose storage is a copy, takes a new id and stores it", async () => {
  const locks = lockManager();
  const original = await claimTab({ storage: storage(), locks });
  const copy = storage({ "millrace.tab": original.id });

  const duplicate = await claimTab({ storage: copy, locks });

  assert.notEqual(duplicate.id, original.id);
  assert.equal(copy.kept.get("millrace.tab"), duplicate.id);
});

test("without storage or locks there is still an id", async () => {
  assert.ok((await claimTab({ storage: null, locks: null })).id.length >= 16);
  const kept = storage({ "millrace.tab": "kept" });
  assert.equal((await claimTab({ storage: kept, locks: null })).id, "kept");
});
