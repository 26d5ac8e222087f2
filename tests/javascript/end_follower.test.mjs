/** A page that follows the end of a growing text, and leaves a reader alone who has scrolled up. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { EndFollower } from "../../functions/console/static/core/app/end_follower.js";

/** A screen of 600 pixels over a text of this length, which begins 100 pixels below the page's top. */
function reading(length) {
  const page = { length, scrollY: 0, away: [] };
  const screen = {
    end: () => 100 + page.length - page.scrollY,
    height: () => 600,
    scrolled: () => page.scrollY,
    scrollTo: (position) => (page.scrollY = position),
  };
  const follower = new EndFollower(screen, (isAway) => page.away.push(isAway));
  const write = (more) => {
    page.length += more;
    follower.grown();
  };
  const scroll = (position) => {
    page.scrollY = position;
    follower.scrolled();
  };
  return { page, follower, write, scroll };
}

test("the end stays on the screen while the text grows beyond it", () => {
  const { page, write } = reading(50);
  write(400);
  assert.equal(page.scrollY, 0, "there is still room");
  for (let written = 0; written < 20; written += 1) write(60);
  assert.equal(100 + page.length - page.scrollY, 600 - 24);
  assert.deepEqual(page.away, []);
});

test("a reader who scrolls up is not moved, and is told that there is more", () => {
  const { page, write, scroll } = reading(50);
  write(2_000);
  scroll(300);
  write(500);
  assert.equal(page.scrollY, 300);
  assert.deepEqual(page.away, [true]);
});

test("a reader who is back at the end, or jumps there, follows again", () => {
  const { page, follower, write, scroll } = reading(50);
  write(2_000);
  scroll(300);
  scroll(1_500);
  write(400);
  assert.equal(100 + page.length - page.scrollY, 600 - 24);
  scroll(0);
  follower.jump();
  write(300);
  assert.equal(100 + page.length - page.scrollY, 600 - 24);
  assert.deepEqual(page.away, [true, false, true, false]);
});

test("a scroll event that arrives after the text has grown does not end the following", () => {
  const { page, follower, write } = reading(50);
  write(2_000);
  page.length += 300;
  follower.scrolled(); // of the page's own scrolling, in the frame before
  follower.grown();
  assert.equal(100 + page.length - page.scrollY, 600 - 24);
});

test("a page that is opened above the end of a long text stays where it is", () => {
  const { page, write } = reading(3_000);
  assert.equal(page.scrollY, 0);
  write(10);
  assert.equal(page.scrollY, 0);
});
