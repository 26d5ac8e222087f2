/** The channel: whatever the network does, each subscriber gets each event once and in order. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { CHANNEL_TIMES } from "../../clients/javascript/src/millrace/channel.js";
import { Refused, Unreachable } from "../../clients/javascript/src/millrace/errors.js";
import { seeded } from "./chance.mjs";
import { channelOf, pass, settle } from "./socket.mjs";

const JOB = "job:job_1";
const event = (seq) => [seq, { type: "delta", text: `${seq}` }];
const snapshot = (seq) => [seq, { type: "snapshot", text: "…" }];
const closing = (reason) => ({ type: "closing", reason });

beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 }));
afterEach(() => mock.timers.reset());

/** A subscriber that records what it is told. */
function listening(channel, topic = JOB, after = 0) {
  const seen = { events: [], snapshots: [], told: [] };
  const tell = (name) => (what) => seen.told.push(what === undefined ? name : [name, what]);
  const stop = channel.subscribe(topic, {
    after,
    onEvents: (events) => seen.events.push(...events.map(([seq]) => seq)),
    onSnapshot: (seq) => seen.snapshots.push(seq),
    onOpen: tell("open"),
    onLost: tell("lost"),
    onBehind: tell("behind"),
    onBlocked: tell("blocked"),
    onError: (error) => seen.told.push(["error", error.code]),
  });
  return { ...seen, stop };
}

/** A channel whose connection is open, with one subscriber whose subscription was accepted. */
async function opened(options) {
  const all = channelOf(options);
  const seen = listening(all.channel);
  await pass(0);
  all.last().open();
  all.last().accept(JOB);
  return { ...all, seen };
}

test("the first subscription opens a connection with a ticket as a subprotocol", async () => {
  const { channel, all, seen } = await opened();
  const [socket] = all;
  assert.deepEqual(socket.protocols, ["millrace.v1", "ticket.1"]);
  assert.deepEqual(socket.take(), [{ type: "subscribe", topic: JOB, after: 0 }]);

  listening(channel, "session:ses_1", 7);
  assert.deepEqual(socket.take(), [{ type: "subscribe", topic: "session:ses_1", after: 7 }]);
  assert.deepEqual([channel.state, all.length, seen.told], ["open", 1, ["open"]]);
});

test("events are applied once and in order, whatever order they arrive in", async () => {
  const { last, seen } = await opened();
  const events = (...list) => ({ type: "events", topic: JOB, events: list });

  last().deliver(events(event(1), event(2)), events(event(2), event(4)), events(event(3)), events(event(1), event(5)));
  assert.deepEqual(seen.events, [1, 2, 3, 4, 5]);

  last().deliver(events(snapshot(9)), events(event(8), event(10)));
  assert.deepEqual([seen.snapshots, seen.events], [[9], [1, 2, 3, 4, 5, 10]]);
  last().take();
  await pass(CHANNEL_TIMES.hold);
  assert.deepEqual(last().take(), []); // an event that comes again is no gap
});

test("after a gap of 300 ms the topic is subscribed to again, after the last event", async () => {
  const { last, seen } = await opened();
  last().take();
  last().deliver({ type: "events", topic: JOB, events: [event(1), event(3)] });
  await pass(CHANNEL_TIMES.hold - 1);
  assert.deepEqual(last().take(), []);
  await pass(1);
  assert.deepEqual(last().take(), [{ type: "subscribe", topic: JOB, after: 1 }]);

  last().deliver({ type: "events", topic: JOB, events: [event(2), event(3)] });
  assert.deepEqual(seen.events, [1, 2, 3]);
  await pass(CHANNEL_TIMES.hold);
  assert.deepEqual(last().take(), []);
});

test("any delivery of a log, with every loss repaired by a new subscription, gives exactly the log", async () => {
  for (let seed = 1; seed <= 50; seed += 1) {
    const random = seeded(seed);
    const { channel, last, seen } = await opened();
    const log = Array.from({ length: 30 }, (_, index) => event(index + 1));
    for (const from of log.keys()) {
      const part = log.slice(Math.max(0, from - Math.floor(random() * 3)), from + Math.floor(random() * 3));
      if (random() < 0.8) last().deliver({ type: "events", topic: JOB, events: part });
      if (random() < 0.1) await pass(CHANNEL_TIMES.hold);
    }
    for (const { type, after } of last().take()) {
      if (type === "subscribe") last().deliver({ type: "events", topic: JOB, events: log.slice(after) });
    }
    last().deliver({ type: "events", topic: JOB, events: log.slice(25) });
    await pass(CHANNEL_TIMES.hold);
    for (const { type, after } of last().take()) {
      if (type === "subscribe") last().deliver({ type: "events", topic: JOB, events: log.slice(after) });
    }
    assert.deepEqual(seen.events, log.map(([seq]) => seq), `seed ${seed}`);
    channel.close();
  }
});

test("a lost connection is replaced, and the topics continue after their last events", async () => {
  const { all, last, seen } = await opened();
  last().deliver({ type: "events", topic: JOB, events: [event(1), event(3)] });
  last().drop();
  assert.deepEqual(seen.told, ["open", "lost"]);

  await pass(CHANNEL_TIMES.wait / 2);
  last().open();
  assert.deepEqual([all.length, last().take()], [2, [{ type: "subscribe", topic: JOB, after: 1 }]]);
  last().accept(JOB, event(2), event(3));
  assert.deepEqual([seen.events, seen.told], [[1, 2, 3], ["open", "lost", "open"]]);
});

test("after ten seconds of silence a ping says which events the client has, and a pong keeps the connection", async () => {
  const { all, last } = await opened();
  last().accept(JOB, event(1));
  last().take();
  for (let round = 0; round < 3; round += 1) {
    await pass(CHANNEL_TIMES.ping);
    assert.deepEqual(last().take(), [{ type: "ping", positions: { [JOB]: 1 } }]);
    await pass(CHANNEL_TIMES.pong - 1);
    last().deliver({ type: "pong", id: "x", tails: { [JOB]: 1 } });
    last().take();
  }
  assert.equal(all.length, 1);
});

test("with several topics, the events of one do not put off the ping that repairs another", async () => {
  const { channel, last } = await opened();
  const other = listening(channel, "job:job_2");
  last().accept(JOB, event(1));
  last().accept("job:job_2", event(1));
  last().take();
  for (let seq = 2; seq < 12; seq += 1) {
    await pass(CHANNEL_TIMES.ping / 10);
    last().deliver({ type: "events", topic: JOB, events: [event(seq)] });
  }
  assert.deepEqual(last().take(), [{ type: "ping", positions: { [JOB]: 10, "job:job_2": 1 } }]);
  last().deliver({ type: "pong", id: "x", tails: { [JOB]: 11, "job:job_2": 2 } }, { type: "events", topic: "job:job_2", events: [event(2)] });
  assert.deepEqual(other.events, [1, 2]);
});

test("a subscription on a connection that had no topic is asked for again if it gets no answer", async () => {
  const { channel, last, seen } = await opened();
  last().accept(JOB, event(1));
  seen.stop();
  listening(channel, "job:job_2");
  last().take();
  await pass(CHANNEL_TIMES.ping);
  assert.deepEqual(last().take(), [{ type: "ping", positions: { "job:job_2": 0 } }]);
});

test("if no answer comes within ten seconds of a ping, the connection is replaced", async () => {
  const { all, last, seen } = await opened();
  await pass(CHANNEL_TIMES.ping);
  await pass(CHANNEL_TIMES.pong);
  assert.deepEqual([all[0].closed, seen.told], [true, ["open", "lost"]]);
  await pass(CHANNEL_TIMES.wait / 2);
  assert.equal(all.length, 2);
});

test("a topic that a pong does not name is subscribed to again", async () => {
  const { last } = await opened();
  last().take();
  last().deliver({ type: "pong", id: "x", tails: {} });
  assert.deepEqual(last().take(), [{ type: "subscribe", topic: JOB, after: 0 }]);
  last().deliver({ type: "pong", id: "x", tails: {} });
  assert.deepEqual(last().take(), []); // the answer to the subscription is on its way
  await pass(CHANNEL_TIMES.pong);
  last().take();
  last().deliver({ type: "pong", id: "x", tails: {} });
  assert.deepEqual(last().take(), [{ type: "subscribe", topic: JOB, after: 0 }]); // or it was lost
});

test("before the connection is two hours old, a new one is opened and then the old one closed", async () => {
  const { all, seen, channel } = await opened();
  const keep = async (until) => {
    for (let spent = 0; spent < until; spent += 5_000) {
      await pass(5_000);
      all[0].deliver({ type: "pong", id: "x", tails: { [JOB]: seen.events.length } });
    }
  };
  await keep(CHANNEL_TIMES.turnover);
  assert.deepEqual([all.length, all[0].closed], [2, false]);

  all[0].deliver({ type: "events", topic: JOB, events: [event(1)] });
  all[1].open();
  assert.deepEqual([all[0].closed, all[1].take()], [true, [{ type: "subscribe", topic: JOB, after: 1 }]]);
  all[1].accept(JOB, event(1), event(2));
  assert.deepEqual([seen.events, seen.told, channel.state], [[1, 2], ["open", "open"], "open"]);
});

test("if the replacement cannot be opened, the old connection stays in use", async () => {
  const { all, seen, channel } = await opened({ times: { turnover: 1_000, spread: 0 } });
  await pass(1_000);
  all[1].drop();
  all[0].deliver({ type: "events", topic: JOB, events: [event(1)] });
  assert.deepEqual([seen.events, seen.told, channel.state], [[1], ["open"], "open"]);
});

test("after three openings that failed within thirty seconds the channel is blocked, and tried again a minute later", async () => {
  const { channel, all, last } = channelOf();
  const seen = listening(channel);
  await pass(0);
  for (let failed = 0; failed < 3; failed += 1) {
    last().drop();
    await pass(CHANNEL_TIMES.wait * 4);
  }
  assert.deepEqual([channel.state, all.length, seen.told], ["blocked", 3, ["blocked"]]);
  seen.stop();
  assert.equal(channel.usable(), false);

  await pass(CHANNEL_TIMES.retry);
  assert.equal(channel.usable(), false); // it is tried in the background
  await settle();
  last().open();
  assert.deepEqual([channel.usable(), channel.state, all.length], [true, "open", 4]);
});

test("subscribers that wait for a blocked channel get their events when it opens", async () => {
  const refusal = () => Promise.reject(new Refused(404, { code: "NOT_FOUND", message: "no", details: {}, retryable: false }));
  const { channel, last } = channelOf({ tickets: [refusal] });
  const seen = listening(channel);
  await pass(0);
  assert.equal(channel.state, "blocked");
  await pass(CHANNEL_TIMES.retry);
  last().open();
  last().accept(JOB, event(1));
  assert.deepEqual([seen.told, seen.events], [["blocked", "open"], [1]]);
});

test("a ticket that cannot be had for a moment is asked for again", async () => {
  const { channel, asked } = channelOf({ tickets: [() => Promise.reject(new Unreachable("offline"))] });
  listening(channel);
  await pass(0);
  await pass(CHANNEL_TIMES.wait / 2);
  assert.deepEqual([channel.state, asked.length], ["connecting", 2]);
});

test("where there is no WebSocket the channel is blocked", async () => {
  const { channel } = channelOf({ WebSocket: undefined });
  const seen = listening(channel);
  await settle();
  assert.deepEqual([channel.usable(), seen.told], [false, ["blocked"]]);
});

test("a handshake that hangs is given up", async () => {
  const { channel, all } = channelOf();
  listening(channel);
  await pass(0);
  await pass(CHANNEL_TIMES.open);
  assert.equal(all[0].closed, true);
  await pass(CHANNEL_TIMES.wait / 2);
  assert.equal(all.length, 2);
});

test("the server's reasons for closing are followed", async () => {
  for (const [reason, wait] of [["reauthenticate", 0], ["unknown_connection", 0], ["too_many_messages", 10_000]]) {
    const { last, all, channel } = await opened();
    last().deliver(closing(reason));
    if (wait > 0) await pass(wait - 1);
    assert.equal(all.length, 1, reason);
    await pass(1);
    assert.equal(all.length, 2, reason);
    channel.close();
  }
  const { last, seen, channel } = await opened();
  last().deliver(closing("replaced")); // by another page with the same id
  assert.deepEqual([channel.state, seen.told], ["blocked", ["open", "blocked"]]);
});

test("a refused subscription is repeated when the server says so, and given up otherwise", async () => {
  const { last, seen } = await opened();
  const refuse = (code, retryAfter) => {
    const { id } = last().subscriptions.get(JOB);
    last().deliver({ type: "error", id, code, message: "no", retryAfter });
  };
  last().deliver({ type: "pong", id: "x", tails: {} });
  refuse("RATE_LIMIT_EXCEEDED", 2);
  last().take();
  await pass(2_000);
  assert.equal(last().sent.length, 1);
  refuse("NOT_FOUND", null);
  assert.deepEqual(seen.told, ["open", ["error", "NOT_FOUND"]]);
  last().deliver({ type: "error", id: null, code: "VALIDATION_FAILED", message: "?", retryAfter: null });
});

test("a subscriber that is behind subscribes again, or is told to read over HTTP", async () => {
  const { last, seen } = await opened();
  last().take();
  last().deliver({ type: "behind", topic: JOB, tail: 900, then: "subscribe" });
  assert.deepEqual(last().take(), [{ type: "subscribe", topic: JOB, after: 0 }]);
  last().deliver({ type: "behind", topic: JOB, tail: 900, then: "read" });
  assert.deepEqual(seen.told, ["open", ["behind", 900]]);
});

test("two subscribers share a subscription, which begins after the event that both have", async () => {
  const { channel, last, seen } = await opened();
  last().accept(JOB, event(1), event(2));
  last().take();
  const late = listening(channel, JOB, 1);
  assert.deepEqual(last().take(), [{ type: "subscribe", topic: JOB, after: 1 }]);
  last().deliver({ type: "events", topic: JOB, events: [event(2), event(3)] });
  assert.deepEqual([seen.events, late.events], [[1, 2, 3], [2, 3]]);

  late.stop();
  assert.deepEqual(last().take(), []);
  seen.stop();
  assert.deepEqual(last().take(), [{ type: "unsubscribe", topic: JOB }]);
});

test("without subscribers the connection is closed after a while, and a new subscriber opens another", async () => {
  const { channel, all, last, seen } = await opened();
  seen.stop();
  await pass(CHANNEL_TIMES.linger - 1);
  const next = listening(channel, "job:job_2");
  for (let spent = 0; spent < CHANNEL_TIMES.linger; spent += 5_000) {
    await pass(5_000);
    last().deliver({ type: "pong", id: "x", tails: { "job:job_2": 0 } });
  }
  assert.equal(all[0].closed, false);
  next.stop();
  last().deliver({ type: "pong", id: "x", tails: {} });
  await pass(CHANNEL_TIMES.linger);
  assert.deepEqual([all[0].closed, all[0].code, channel.state], [true, 1000, "closed"]);

  listening(channel);
  await pass(0);
  assert.equal(all.length, 2);
});

test("a text that is no message of the channel is ignored", async () => {
  const { last, seen, channel } = await opened();
  last().deliver("no JSON", '{"message": "Internal server error"}', "null", '{"type": "unknown"}');
  assert.deepEqual([channel.state, seen.told], ["open", ["open"]]);
});
