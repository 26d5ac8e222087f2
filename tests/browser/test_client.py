"""The JavaScript client alone, in a page of the API's origin without other code."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Playwright
from playwright.sync_api import TimeoutError as NotInTime

from local.stack import LocalStack
from tests.api_user import ApiUser, wait_until
from tests.browser.chromium import installed, launched
from tests.browser.scripts import PAUSES
from tests.browser.tab import Tab

MODULE = "/console/static/millrace.js"
TRANSPORTS = pytest.mark.parametrize("transport", ["fetch", "eventsource"])


class Client:
    """A client in one tab, signed in as `user`, and one watch; `urls` are the addresses that the tab has requested."""

    def __init__(self, tab: Tab, user: ApiUser, transport: str = "fetch", *, shares: bool = False) -> None:
        self.tab = tab
        self._options = [user.stack.api_url + MODULE, user.stack.api_url, user.token, transport, shares]
        self._blank = f"{user.stack.issuer_url}/.well-known/openid-configuration"
        tab.expect_complaints("favicon")
        self.urls: list[str] = []
        tab.page.on("request", lambda request: self.urls.append(request.url))

    def load(self) -> None:
        """Open a document of the same origin and start the client in it."""
        self.tab.page.goto(self._blank)
        self.begin()

    def begin(self) -> None:
        self.tab.evaluate(
            """async ([module, api, token, transport, shareStreams]) => {
              const { Millrace } = await import(module);
              globalThis.millrace = new Millrace({ api, token, transport, shareStreams });
              globalThis.states = [];
              globalThis.follow = (watch) => {
                globalThis.watch = watch;
                watch.subscribe(({ state }) => { if (states.at(-1) !== state) states.push(state); });
              };
            }""",
            self._options,
        )

    def start(self, **fields: Any) -> None:
        self.tab.evaluate("(input) => follow(millrace.startJob('suggestion', input))", fields)

    def watch(self, job_id: str) -> None:
        self.tab.evaluate("(jobId) => follow(millrace.watch(jobId))", job_id)

    def until(self, condition: str) -> None:
        """Wait until `condition`, an expression of `watch`, is true. Raises: AssertionError after the timeout."""
        try:
            self.tab.page.wait_for_function(condition, polling=100)
        except NotInTime:
            at = self.get("({ ...watch, view: watch.view, states })")
            raise AssertionError(f"{condition} did not become true: {at}, {self.tab.complaints}") from None

    def until_streaming(self, characters: int = 0) -> None:
        """Wait until its stream is open and more than `characters` of text are shown: a snapshot shows text earlier."""
        self.until(f"watch.state === 'streaming' && watch.view.text.length > {characters}")

    @property
    def slots(self) -> list[str]:
        """The ids that its streams sent to claim their slots."""
        streams = [urlsplit(url) for url in self.urls if urlsplit(url).path.endswith("/stream")]
        return [parse_qs(url.query)["tab"][0] for url in streams]

    def get(self, expression: str) -> Any:
        return self.tab.evaluate(expression)


@pytest.fixture
def client(tab: Tab, user: ApiUser) -> Client:
    made = Client(tab, user)
    made.load()
    return made


@TRANSPORTS
def test_the_client_creates_a_job_and_has_the_text_of_the_api(tab: Tab, user: ApiUser, transport: str) -> None:
    client = Client(tab, user, transport)
    client.load()
    client.start(
        pageOrComponent="Checkout – naïve “quotes” 🛒",
        featureType="enhancement",
        priorityLevel="high",
        additionalContext=f"{uuid.uuid4().hex} [[script: {PAUSES}]]",
    )
    client.until_streaming()
    user.release(client.get("watch.view.jobId"))
    client.until("watch.state === 'complete'")
    job = user.job(client.get("watch.view.jobId"))
    assert client.get("watch.view.text") == job["text"]
    assert client.get("watch.view.result") == job["result"]
    assert client.get("states") == ["creating", "connecting", "streaming", "complete"]


@TRANSPORTS
def test_the_client_follows_a_running_job_from_its_first_event_without_a_token_in_a_url(
    tab: Tab, user: ApiUser, transport: str
) -> None:
    job_id = user.new_job(PAUSES)
    wait_until(lambda: len(user.job(job_id)["text"]) > 100)
    client = Client(tab, user, transport)
    client.load()
    client.watch(job_id)
    client.until_streaming(100)
    assert not [url for url in client.urls if user.token in url]
    opened = [urlsplit(url) for url in client.urls if urlsplit(url).path.endswith("/stream")]
    tickets = [parse_qs(url.query).get("ticket") for url in opened]
    assert [ticket is not None for ticket in tickets] == [transport == "eventsource"]
    user.release(job_id)
    client.until("watch.state === 'complete'")
    assert client.get("watch.view.text") == user.job(job_id)["text"]


@TRANSPORTS
def test_a_stopped_watch_and_a_page_that_is_left_free_their_slot_at_once(
    tab: Tab, user: ApiUser, transport: str
) -> None:
    client = Client(tab, user, transport)
    client.load()
    tab.expect_complaints("429")  # until the server has noticed that the fifth stream is closed
    watched, other = user.new_job(PAUSES), user.new_job(PAUSES)
    with contextlib.ExitStack() as open_streams:
        for number in range(4):
            open_streams.enter_context(user.stream(other, tab=f"tab-{number}"))
        client.watch(watched)
        client.until_streaming()
        _frees_its_slot(lambda: client.get("watch.stop()"), user, other)
        client.watch(watched)
        wait_until(lambda: is_accepted(client))
        client.until_streaming()
        _frees_its_slot(lambda: tab.page.goto("about:blank"), user, other)


def _frees_its_slot(leave: Callable[[], object], user: ApiUser, job_id: str) -> None:
    """Check that the user has no slot for another stream until this page is left."""
    assert user.stream_refused(job_id, tab="fifth").status_code == 429
    leave()
    # The server keeps the slot of a silent holder for thirty seconds.
    assert wait_until(lambda: _opens(user, job_id))


def _opens(user: ApiUser, job_id: str) -> bool:
    with user.stream(job_id, tab="fifth") as source:
        return source.response.status_code == 200


def test_a_reloaded_page_takes_over_its_own_slot_and_a_duplicated_tab_has_another(
    client: Client, user: ApiUser
) -> None:
    job_id = user.new_job(PAUSES)
    client.watch(job_id)
    client.until_streaming()
    with contextlib.ExitStack() as open_streams:
        for number in range(4):
            open_streams.enter_context(user.stream(job_id, tab=f"tab-{number}"))
        client.tab.page.reload()
        client.begin()
        client.watch(job_id)
        client.until_streaming()
        assert client.get("states") == ["connecting", "streaming"]
    assert len(client.slots) == 2
    assert client.slots[0] == client.slots[1]

    with client.tab.page.expect_popup() as opened:
        # A window that a page opens gets a copy of the page's session storage, like a duplicated tab.
        client.get("void window.open(location.href)")
    copy = Client(client.tab.of(opened.value), user)
    copy.begin()
    copy.watch(job_id)
    wait_until(lambda: is_accepted(copy))  # the server may not have noticed that the four streams are closed
    copy.until_streaming()
    assert client.slots[1] not in copy.slots
    refused = copy.get("states.length") - 2
    user.release(job_id)
    for each, begins in ((client, 0), (copy, refused)):
        each.until("watch.state === 'complete'")
        assert each.get("watch.view.text") == user.job(job_id)["text"]
        assert each.get(f"states.slice({begins})") == ["connecting", "streaming", "complete"]


def test_eight_tabs_share_one_stream_and_replace_its_leader(new_tab: Callable[[], Tab], user: ApiUser) -> None:
    job_id = user.new_job(PAUSES)
    clients = [Client(new_tab(), user, shares=True) for _ in range(8)]
    for each in clients:
        each.load()
        each.watch(job_id)
        each.until_streaming()
    assert [len(each.slots) for each in clients] == [1, 0, 0, 0, 0, 0, 0, 0]

    clients[0].tab.page.close()
    leader = _leader(clients[1:])
    frozen = leader.tab.context.new_cdp_session(leader.tab.page)
    frozen.send("Page.setWebLifecycleState", {"state": "frozen"})
    followers = [each for each in clients[1:] if each is not leader]
    _leader(followers)
    user.release(job_id)
    frozen.send("Page.setWebLifecycleState", {"state": "active"})

    for each in clients[1:]:
        each.until("watch.state === 'complete'")
        assert each.get("watch.view.text") == user.job(job_id)["text"]
        assert "error" not in each.get("states")
    assert len({slot for each in clients for slot in each.slots}) == 1


def _leader(clients: list[Client]) -> Client:
    """Wait until one of these tabs reads the stream, and return it."""

    def reading() -> list[Client]:
        clients[0].tab.page.wait_for_timeout(10)  # lets Playwright deliver the events of the tabs
        return [each for each in clients if each.slots]

    assert wait_until(lambda: bool(reading()))
    return reading()[0]


def test_a_page_from_the_back_forward_cache_continues_after_the_last_event(
    playwright: Playwright, user: ApiUser
) -> None:
    if installed(with_history=True) is None:
        missing = "the headless shell has no back-forward cache; install Chromium"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    with launched(playwright, back_forward_cache=True) as browser:
        client = Client(Tab(browser.new_page()), user)
        client.load()
        job_id = user.new_job(PAUSES)
        client.watch(job_id)
        client.until_streaming()
        client.tab.page.goto(f"{user.stack.issuer_url}/.well-known/jwks.json")
        client.tab.page.go_back(wait_until="commit")
        # The same document with its memory: no script has started again.
        client.until("states.length === 4")
        user.release(job_id)
        client.until("watch.state === 'complete'")
        assert client.get("states") == ["connecting", "streaming", "connecting", "streaming", "complete"]
        assert client.get("watch.view.text") == user.job(job_id)["text"]
        assert client.tab.unexpected() == []


@TRANSPORTS
def test_the_client_reconnects_to_a_restarted_server_and_loses_nothing(
    tab: Tab, user: ApiUser, stack: LocalStack, transport: str
) -> None:
    client = Client(tab, user, transport)
    client.load()
    job_id = user.new_job(PAUSES)
    client.watch(job_id)
    client.until_streaming(50)
    tab.expect_complaints("ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET")
    with stack.down("stream"):
        client.until("watch.faults >= 2")
    user.release(job_id)
    client.until("watch.state === 'complete'")
    assert client.get("watch.view.text") == user.job(job_id)["text"]
    assert client.get("watch.view.resets") == []


def is_accepted(client: Client) -> bool:
    """Try again, and return whether there was a place. The server frees one when it notices that a stream is closed."""
    client.get("watch.retry()")
    client.until("watch.state !== 'connecting'")
    return bool(client.get("watch.state") != "error")


@TRANSPORTS
def test_a_refusal_is_not_reported_as_a_network_fault(tab: Tab, user: ApiUser, transport: str) -> None:
    client = Client(tab, user, transport)
    client.load()
    job_id = user.new_job(PAUSES)
    tab.expect_complaints("429")
    with contextlib.ExitStack() as open_streams:
        for number in range(5):
            open_streams.enter_context(user.stream(job_id, tab=f"tab-{number}"))
        client.watch(job_id)
        client.until("watch.state === 'error'")
    problem = client.get("watch.problem")
    assert (problem["kind"], problem["status"], problem["code"]) == ("refused", 429, "STREAM_LIMIT_EXCEEDED")
    assert problem["retryAfter"] > 0
    user.release(job_id)
    wait_until(lambda: is_accepted(client))
    client.until("watch.state === 'complete'")
    assert client.get("watch.view.text") == user.job(job_id)["text"]


@TRANSPORTS
def test_a_job_is_cancelled_and_resumed_in_the_same_watch(tab: Tab, user: ApiUser, transport: str) -> None:
    client = Client(tab, user, transport)
    client.load()
    job_id = user.new_job(PAUSES)
    client.watch(job_id)
    client.until_streaming(50)
    client.get("watch.cancel()")
    client.until("watch.state === 'cancelled'")
    assert user.job(job_id)["status"] == "cancelled"
    user.release(job_id)
    client.get("watch.resume()")
    client.until("watch.state === 'complete'")
    assert [each["reason"] for each in client.get("watch.view.resets")] == ["RESUMED"]
    assert client.get("watch.view.text") == user.job(job_id)["text"]


def test_a_job_of_another_user_is_refused(client: Client, new_user: Callable[[], ApiUser]) -> None:
    client.tab.expect_complaints("403")
    client.watch(new_user().new_job())
    client.until("watch.state === 'error'")
    assert (client.get("watch.problem.kind"), client.get("watch.problem.code")) == ("refused", "FORBIDDEN")
