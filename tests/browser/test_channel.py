"""The channel in Chromium: its own WebSocket, and the client, also where WebSockets are blocked."""

from __future__ import annotations

import pytest

from tests.api_user import ApiUser, Event, wait_until
from tests.browser.scripts import PAUSES
from tests.browser.tab import Tab
from tests.browser.test_client import Client

CUTS = [2, 5, 9]
WHILE_IT_RUNS = "token_ms=3, first_token_ms=0"
FOLLOW = """async ([api, token, jobId, cuts]) => {
  const log = [];
  const last = () => log.at(-1)?.[0] ?? 0;
  const request = { method: "POST", body: JSON.stringify({ tab: "one" }) };
  request.headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  const connection = (ticket) => new Promise((resolve) => {
    const socket = new WebSocket(ticket.channelUrl, ticket.subprotocols);
    const send = (message) => socket.readyState === 1 && socket.send(JSON.stringify({ id: "1", ...message }));
    const subscribe = () => send({ type: "subscribe", topic: `job:${jobId}`, after: last() });
    const pings = setInterval(() => send({ type: "ping", positions: { [`job:${jobId}`]: last() } }), 5000);
    const end = () => { clearInterval(pings); socket.onmessage = null; socket.close(); resolve(); };
    socket.onopen = subscribe;
    socket.onclose = end;
    socket.onmessage = ({ data }) => {
      const { type, events, tails } = JSON.parse(data);
      if (type === "pong" && !(`job:${jobId}` in tails)) return subscribe();
      for (const [seq, event] of type === "events" ? events : []) {
        if (seq <= last()) continue;
        if (seq > last() + 1 && event.type !== "snapshot") return void setTimeout(subscribe, 300);
        log.push([seq, event]);
        if (log.length === cuts[0]) { cuts.shift(); return end(); }
        if (event.type === "complete") return end();
      }
    };
  });
  while (log.at(-1)?.[1].type !== "complete") {
    const response = await fetch(`${api}/connection-tickets`, request);
    await connection((await response.json()).data);
  }
  return log;
}"""
"""A page that follows as docs/channel.md says, without our client; it closes its connection at the cuts."""


def test_chromiums_websocket_follows_a_job_through_three_cuts(tab: Tab, user: ApiUser) -> None:
    client = Client(tab, user)
    client.load()
    job_id = user.new_job(WHILE_IT_RUNS)
    seen = tab.evaluate(FOLLOW, [user.stack.api_url, user.token, job_id, CUTS])
    user.ended(job_id)
    stored = [event for event in user.watch(job_id) if event.id is not None]
    assert [Event(seq, event["type"], event) for seq, event in seen] == stored


@pytest.fixture
def client(tab: Tab, user: ApiUser) -> Client:
    made = Client(tab, user, "channel")
    made.load()
    return made


def test_the_client_follows_over_one_websocket_which_is_closed_three_times(client: Client, user: ApiUser) -> None:
    job_id, closed = user.new_job(PAUSES), set(user.stack.connections())

    def opened() -> set[str]:
        return set(user.stack.connections()) - closed

    client.watch(job_id)
    client.until("watch.view.text.length > 0 && watch.transport === 'channel'")
    for _ in range(3):
        (connection_id,) = opened()
        closed.add(connection_id)
        user.stack.channel_client().delete_connection(ConnectionId=connection_id)
        wait_until(opened)
        client.until("watch.state === 'streaming'")
    user.release(job_id)
    client.until("watch.state === 'complete'")
    job = user.job(job_id)
    assert client.get("[watch.view.text, watch.view.lastEventId]") == [job["text"], job["lastEventId"]]
    assert client.get("watch.transport") == "channel"
    assert client.get("states") == ["connecting", *["streaming", "connecting"] * 3, "streaming", "complete"]
    assert not [url for url in client.urls if url.endswith("/stream")]


def test_where_websockets_are_blocked_the_client_follows_the_jobs_stream(client: Client, user: ApiUser) -> None:
    client.tab.expect_complaints("WebSocket connection to")
    client.get(
        "void (globalThis.WebSocket = class extends WebSocket { constructor() { super('ws://127.0.0.1:9/'); } })"
    )
    client.begin()
    job_id = user.new_job(PAUSES)
    client.watch(job_id)
    client.until("watch.view.text.length > 0 && watch.transport === 'stream'")
    user.release(job_id)
    client.until("watch.state === 'complete'")
    assert client.get("watch.view.text") == user.job(job_id)["text"]
    assert client.slots
