"""Kill the process before and after every call of dispatch, deliver and the sweep, and repeat what AWS repeats."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from shared.jobs.transitions import JobTransition
from shared.webhooks.breaker import FAILURES
from shared.webhooks.delivery import Delivery, DeliveryRef, DeliveryStatus
from shared.webhooks.due import EVERY
from shared.webhooks.endpoint import EndpointHealth, WebhookEndpoint
from shared.webhooks.event import id_of
from shared.webhooks.sender import Outcome, SendError
from tests.fakes.clock import NOON
from tests.fakes.deliveries import Request, Sent
from tests.unit.webhooks.world import World, a_transition

VISIBILITY = timedelta(seconds=90)
"""When SQS shows a message again whose process has died."""

LONG = timedelta(minutes=50)
"""After this time every delivery of the scenario has ended."""


class Killed(BaseException):
    """The process died: no `except Exception` sees it."""


class Kill:
    """Kills the process at one call: before it, or after it was made. `calls` counts all calls."""

    def __init__(self, at: int | None, *, after: bool) -> None:
        self._at = at
        self._after = after
        self.calls = 0

    def port(self, port: Any) -> Any:
        return _Port(port, self)

    def call(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        here = self.calls == self._at
        if here and not self._after:
            raise Killed
        result = method(*args, **kwargs)
        if here:
            raise Killed
        return result


class _Port:
    def __init__(self, port: Any, kill: Kill) -> None:
        self._port = port
        self._kill = kill

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        return lambda *args, **kwargs: self._kill.call(method, *args, **kwargs)


class Scenario:
    """Five endpoints of one owner, each with its own receiver."""

    def __init__(self, kill: Kill) -> None:
        self.world = World(wrap=kill.port)
        self.accepted: dict[str, set[str]] = {}
        self.ids: set[str] = set()
        self._answers: dict[str, Callable[[], Outcome]] = {}
        self.fine = self._endpoint("fine")
        self.failing_first = self._endpoint("failing-first", Outcome(5, 500), Outcome(15_000, None, SendError.TIMEOUT))
        self.busy = self._endpoint("busy", Outcome(5, 429, None, "1200"))
        # One failure more, and it is paused: then one attempt probes it.
        nearly = EndpointHealth(consecutive_failures=FAILURES - 1, failing_since=NOON)
        self.down = self._endpoint("down", Outcome(0, None, SendError.CONNECTION_FAILED), health=nearly)
        self.gone = self._endpoint("gone", *[Outcome(5, 410)] * 100)
        self.world.sender.answer = self._answer

    def _endpoint(self, name: str, *outcomes: Outcome, **fields: Any) -> WebhookEndpoint:
        left = list(outcomes)
        self._answers[name] = lambda: left.pop(0) if left else Outcome(12, 200)
        return self.world.with_endpoint(url=f"https://{name}.example/", **fields)

    def _answer(self, request: Request) -> Outcome:
        name = request.url.removeprefix("https://").removesuffix(".example/")
        endpoint = next(each for each in self.world.endpoints.list_of("ada") if each.url == request.url)
        assert not endpoint.disabled, f"{name} was sent something, but is disabled"
        outcome = self._answers[name]()
        self.ids.add(request.id)
        if outcome.succeeded:
            self.accepted.setdefault(name, set()).add(request.id)
        return outcome

    def run(self, transition: JobTransition) -> None:
        while True:  # Lambda delivers a record again until it was handled
            try:
                self.world.happens(transition)
                break
            except Killed:
                continue
        end = self.world.clock() + LONG
        swept = self.world.clock()
        while self.world.clock() < end:
            self._attempt_all()
            moments = [end, swept + EVERY, *(each.at for each in self.world.queue.messages[:1])]
            self.world.clock.advance(max((min(moments) - self.world.clock()).total_seconds(), 0))
            if self.world.clock() >= swept + EVERY:
                swept = self.world.clock()
                self._sweep()

    def _attempt_all(self) -> None:
        for ref in self.world.queue.take():
            try:
                self.world.attempts.attempt(ref)
            except Killed:
                self._show_again(ref)

    def _show_again(self, ref: DeliveryRef) -> None:
        messages = self.world.queue.messages
        messages.append(Sent(ref, self.world.clock() + VISIBILITY))
        messages.sort(key=lambda each: each.at)

    def _sweep(self) -> None:
        try:
            self.world.sweep.run()
        except Killed:
            return  # the next sweep comes in five minutes

    def deliveries_to(self, endpoint: WebhookEndpoint) -> list[Delivery]:
        page = self.world.deliveries.list_of("ada", endpoint.id, status=None, limit=100, cursor=None)
        return list(page.deliveries)


def scenario_with(kill: Kill) -> None:
    """Run the scenario and check that the event has one id and arrives, and nothing at a disabled endpoint."""
    transition = a_transition()
    wanted = {id_of(transition)}
    scenario = Scenario(kill)
    scenario.run(transition)
    assert scenario.ids == wanted
    for endpoint in (scenario.fine, scenario.failing_first, scenario.busy, scenario.down):
        found = scenario.deliveries_to(endpoint)
        assert [each.status for each in found] == [DeliveryStatus.DELIVERED] * len(wanted)
        assert scenario.accepted[endpoint.url.split("/")[2].partition(".")[0]] == wanted
        assert {each.event_id for each in found} == wanted
    assert scenario.world.endpoint(scenario.gone).disabled
    assert all(each.status is not DeliveryStatus.DELIVERED for each in scenario.deliveries_to(scenario.gone))
    assert scenario.world.queue.messages == []


def test_every_change_arrives_wherever_a_process_is_killed() -> None:
    counting = Kill(None, after=False)
    scenario_with(counting)
    assert counting.calls > 80
    for at in range(1, counting.calls + 1):
        for after in (False, True):
            scenario_with(Kill(at, after=after))
