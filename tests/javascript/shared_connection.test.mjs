/** One stream for several tabs, in a world in which the order of everything is drawn by chance from a seed. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { sharedConnection, sharedStreamOf } from "../../clients/javascript/src/millrace/shared_connection.js";
import { seeded } from "./chance.mjs";

const URL_OF_JOB = "http://api/jobs/job_1/stream";

/** Tabs with locks, channels and timers of which each step happens when it is drawn. A tab that is frozen takes none. */
class World {
  now = 0;
  log = [];
  open = new Set();
  opened = [];
  mostOpen = 0;
  #steps = [];
  #timers = [];
  #channels = [];
  #held = null;
  #queue = [];

  constructor(seed) {
    this.random = seeded(seed);
  }

  /** Let `run` be a step of the tab. Steps with the same `order` happen in the order in which they were added. */
  later(tab, order, run) {
    this.#steps.push({ tab, order, run });
  }

  /** Take steps until none is left, and timers up to `until`. */
  async run(until = this.now) {
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      const ready = this.#steps.filter(
        ({ tab, order }, index) =>
          !tab.frozen && this.#steps.findIndex((other) => other.tab === tab && other.order === order) === index,
      );
      if (ready.length > 0) {
        const step = ready[Math.floor(this.random() * ready.length)];
        this.#steps.splice(this.#steps.indexOf(step), 1);
        if (!step.tab.crashed) step.run();
        continue;
      }
      const due = this.#timers.filter(({ tab, at }) => !tab.frozen && !tab.crashed && at <= until);
      if (due.length === 0) break;
      const timer = due.reduce((one, other) => (other.at < one.at ? other : one));
      this.#timers.splice(this.#timers.indexOf(timer), 1);
      this.now = Math.max(this.now, timer.at);
      timer.run();
    }
    this.now = until;
  }

  /** Append an event to the log, and send it over all open connections. */
  append() {
    this.log.push(this.log.length + 1);
    for (const each of this.open) each.send();
  }

  tab(after = 0) {
    const tab = { frozen: false, crashed: false, got: [], flaws: [], last: after, ended: null, stop: new AbortController() };
    const world = this;
    const connect = sharedConnection(
      (start) => world.#connection(tab, start),
      async () => ({ name: "stream", tab: "slot" }),
      {
        locks: { request: (name, options, run) => world.#request(tab, options, run) },
        Channel: class {
          constructor() {
            this.tab = tab;
            world.#channels.push(this);
          }
          postMessage(data) {
            if (tab.crashed) return;
            for (const other of world.#channels) {
              if (other === this) continue;
              const message = structuredClone(data);
              world.later(other.tab, this, () => world.#channels.includes(other) && other.onmessage({ data: message }));
            }
          }
          close() {
            world.#channels.splice(world.#channels.indexOf(this), 1);
          }
        },
        times: { quiet: 10, grace: 10 },
        setTimer: (run, wait) => {
          const timer = { tab, at: world.now + wait, run };
          world.#timers.push(timer);
          return timer;
        },
        clearTimer: (timer) => {
          if (world.#timers.includes(timer)) world.#timers.splice(world.#timers.indexOf(timer), 1);
        },
      },
    );
    const watch = async () => {
      while (!tab.stop.signal.aborted) {
        let connected = 0;
        for await (const part of connect({ url: URL_OF_JOB, after: tab.last, tab: "own", signal: tab.stop.signal })) {
          if (part.kind !== "event") continue;
          if (part.type === "connected") {
            // A watch that is streaming cannot be connected once more.
            connected += 1;
            if (connected > 1) tab.flaws.push("connected twice");
            continue;
          }
          if (connected === 0) tab.flaws.push("an event before `connected`");
          tab.got.push(Number(part.id));
          tab.last = Number(part.id);
        }
      }
    };
    tab.ended = watch().catch((error) => error);
    return tab;
  }

  crash(tab) {
    tab.crashed = true;
    this.#channels = this.#channels.filter((channel) => channel.tab !== tab);
    for (const each of this.open) if (each.tab === tab) this.open.delete(each);
    this.#queue = this.#queue.filter((request) => request.tab !== tab);
    if (this.#held?.tab === tab) this.#release(this.#held);
  }

  /** End the leader's connection, as the server does after a minute. */
  endConnections() {
    for (const each of this.open) each.end();
  }

  async *#connection(tab, { after, tab: slot, signal }) {
    this.opened.push({ after, slot });
    let [sent, ended, wake] = [after, false, () => {}];
    // A page that is frozen reads nothing; its connection stays open.
    const step = () => this.later(tab, "connection", () => wake());
    const connection = { tab, send: step, end: () => ((ended = true), step()) };
    signal.addEventListener("abort", step);
    this.open.add(connection);
    this.mostOpen = Math.max(this.mostOpen, [...this.open].filter((each) => !each.tab.frozen).length);
    try {
      yield { kind: "event", type: "connected", data: "{}", id: "" };
      for (;;) {
        signal.throwIfAborted();
        if (sent < this.log.length) yield { kind: "event", type: "delta", data: "{}", id: String((sent += 1)) };
        else if (ended) return;
        else await new Promise((resolve) => (wake = resolve));
      }
    } finally {
      this.open.delete(connection);
    }
  }

  #request(tab, { signal, steal = false }, run) {
    return new Promise((resolve, reject) => {
      const request = { tab, run, resolve, reject };
      signal?.addEventListener("abort", () => {
        if (!this.#queue.includes(request)) return;
        this.#queue.splice(this.#queue.indexOf(request), 1);
        reject(signal.reason);
      });
      if (steal && this.#held !== null) {
        const robbed = this.#held;
        this.later(robbed.tab, "locks", () => robbed.reject(new DOMException("stolen", "AbortError")));
        this.#held = null;
      }
      if (steal) this.#queue.unshift(request);
      else this.#queue.push(request);
      this.#grant();
    });
  }

  #grant() {
    const request = this.#held === null ? this.#queue.shift() : undefined;
    if (request === undefined) return;
    this.#held = request;
    this.later(request.tab, "locks", async () => {
      await request.run();
      request.resolve();
      this.#release(request);
    });
  }

  #release(request) {
    if (this.#held !== request) return;
    this.#held = null;
    this.#grant();
  }
}

const upTo = (last, after = 0) => Array.from({ length: last - after }, (_, index) => after + index + 1);

test("eight tabs read one stream, and each gets every event once", async () => {
  const world = new World(1);
  const tabs = Array.from({ length: 8 }, () => world.tab());
  await world.run();
  for (let count = 0; count < 5; count += 1) world.append();
  await world.run();

  assert.deepEqual([world.opened.length, world.mostOpen], [1, 1]);
  for (const tab of tabs) assert.deepEqual(tab.got, upTo(5));
  assert.equal(world.opened[0].slot, "slot");
});

test("a tab that joins later gets what the leader keeps, without another stream", async () => {
  const world = new World(2);
  world.tab();
  await world.run();
  for (let count = 0; count < 5; count += 1) world.append();
  await world.run();
  const [fromBegin, fromThird] = [world.tab(), world.tab(3)];
  await world.run();

  assert.deepEqual([fromBegin.got, fromThird.got, world.opened.length], [upTo(5), upTo(5, 3), 1]);
});

test("a tab that needs earlier events lets the leader read the stream again from there", async () => {
  const world = new World(3);
  for (let count = 0; count < 5; count += 1) world.append();
  const leader = world.tab(4);
  await world.run();
  const follower = world.tab(1);
  await world.run();

  assert.deepEqual([leader.got, follower.got], [[5], upTo(5, 1)]);
  assert.deepEqual([world.opened.map(({ after }) => after), world.mostOpen], [[4, 1], 1]);
});

test("a leader that is frozen is replaced, and follows when it awakes", async () => {
  const world = new World(4);
  const [first, second] = [world.tab(), world.tab()];
  await world.run();
  const [leader, follower] = [...world.open][0].tab === first ? [first, second] : [second, first];
  world.append();
  await world.run();
  leader.frozen = true;
  world.append();
  await world.run(world.now + 100);
  assert.deepEqual([leader.got, follower.got], [[1], [1, 2]]);

  leader.frozen = false;
  world.append();
  await world.run(world.now + 100);
  assert.deepEqual([leader.got, follower.got, world.open.size], [[1, 2, 3], [1, 2, 3], 1]);

  world.crash(follower);
  world.append();
  await world.run(world.now + 100);
  assert.deepEqual([leader.got, world.open.size], [[1, 2, 3, 4], 1], "it leads again");
  assert.deepEqual([leader.flaws, follower.flaws], [[], []]);
});

for (let seed = 1; seed <= 25; seed += 1) {
  test(`no event is lost or repeated, whatever happens in whichever order (${seed})`, async () => {
    const world = new World(seed);
    const any = (tabs) => tabs[Math.floor(world.random() * tabs.length)];
    const tabs = [world.tab()];
    for (let count = 0; count < 40; count += 1) {
      const alive = tabs.filter((tab) => !tab.crashed && !tab.stop.signal.aborted);
      const acts = [
        () => world.append(),
        () => world.append(),
        () => tabs.push(world.tab(Math.floor(world.random() * (world.log.length + 1)))),
        () => alive.length > 0 && world.crash(any(alive)),
        () => alive.length > 0 && any(alive).stop.abort(new Error("closed")),
        () => alive.length > 0 && (any(alive).frozen = true),
        () => alive.forEach((tab) => (tab.frozen = false)),
        () => world.endConnections(),
      ];
      any(acts)();
      if (world.random() < 0.6) await world.run(world.now + Math.floor(world.random() * 30));
    }
    tabs.push(world.tab());
    for (const tab of tabs) tab.frozen = false;
    await world.run(world.now + 200);
    world.append();
    await world.run(world.now + 200);

    const alive = tabs.filter((tab) => !tab.crashed && !tab.stop.signal.aborted);
    for (const tab of tabs) assert.deepEqual(tab.flaws, []);
    for (const tab of tabs) assert.deepEqual(tab.got, upTo(tab.last, tab.last - tab.got.length));
    for (const tab of alive) assert.equal(tab.last, world.log.length);
    assert.equal(world.open.size, 1);
  });
}

test("without locks or channels a tab reads its own stream", async () => {
  for (const missing of [{ locks: null }, { Channel: null }]) {
    const parts = { locks: {}, Channel: class {}, ...missing };
    const own = async function* ({ tab }) {
      yield { kind: "comment", text: tab };
    };
    const connect = sharedConnection(own, () => assert.fail("nothing to share"), parts);
    const start = { url: URL_OF_JOB, after: 0, tab: "own", signal: new AbortController().signal };
    assert.deepEqual((await connect(start).next()).value, { kind: "comment", text: "own" });
  }
});

test("different users, tokens and jobs share no stream; a refreshed token of the same user does", async () => {
  const jwt = (claims) => `h.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.s`;
  const nameOf = async (token, url = URL_OF_JOB) => (await sharedStreamOf({ token: async () => token })(url)).name;
  const ann = { iss: "https://idp", sub: "ann", client_id: "web", exp: 1 };

  assert.equal(await nameOf(jwt(ann)), await nameOf(jwt({ ...ann, exp: 2 })));
  const names = await Promise.all([
    ...[jwt(ann), jwt({ ...ann, sub: "bob" }), jwt({ ...ann, iss: "https://other" }), jwt({ ...ann, client_id: "app" })].map((token) => nameOf(token)),
    ...["opaque-1", "opaque-2"].map((token) => nameOf(token)),
    nameOf(jwt(ann), "http://api/jobs/job_2/stream"),
    nameOf(jwt(ann), "http://other/jobs/job_1/stream"),
  ]);
  assert.equal(new Set(names).size, names.length);
});
