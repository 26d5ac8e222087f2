/** All ideas of a run as one text, in the arrangement that the page shows. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { ideasText } from "../../functions/console/static/apps/ideation/parts/idea_cards.js";

const IDEAS = [
  { number: 1, title: "Kitchen", logline: "A cook.", description: "Long.", genrePath: ["Drama"] },
  { number: 2, title: "Map", logline: "", description: "", genrePath: ["Fantasy", "Quest"] },
];

test("ranked ideas are copied best first, each with the reason for its rank", () => {
  const ranking = [{ number: 2, reason: "Most original." }, { number: 1, reason: "Warm." }];

  const text = ideasText(IDEAS, { ranking, groups: null });

  assert.equal(text, "## Map\n\nFantasy › Quest\n\nMost original.\n\n## Kitchen\n\nDrama\n\n*A cook.*\n\nLong.\n\nWarm.");
});

test("grouped ideas are copied below the name and the reason of their group", () => {
  const groups = [{ name: "Travel", reason: "They move.", numbers: [2] }, { name: "Home", reason: "", numbers: [1] }];

  const text = ideasText(IDEAS, { ranking: null, groups });

  assert.deepEqual(text.match(/^#+ .*/gm), ["# Travel", "## Map", "# Home", "## Kitchen"]);
  assert.match(text, /They move\./);
});

test("ideas without an arrangement are copied in their order", () => {
  assert.match(ideasText(IDEAS, { ranking: null, groups: null }), /^## Kitchen[^]*## Map/);
});
