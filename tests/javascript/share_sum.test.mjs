/** The console accepts the same shares as the API: `tests/apps/ideation/unit/test_models.py` reads the same cases. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { addUpTo100 } from "../../functions/console/static/apps/ideation/parts/share_sum.js";

const CASES = JSON.parse(readFileSync(new URL("share_sums.json", import.meta.url), "utf8"));

for (const { shares, accepted } of CASES) {
  test(`${shares.join(" + ")} is ${accepted ? "" : "not "}100`, () => {
    assert.equal(addUpTo100(shares), accepted);
  });
}
