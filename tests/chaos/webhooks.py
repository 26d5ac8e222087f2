"""The webhooks of a run's users: create them, close some in the middle of the run, and wait for what they are owed."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import httpx

from local.stack import LocalStack
from shared.webhooks.endpoint import WebhookEventType
from tests.chaos.plan import Plan
from tests.chaos.report import JOBS_PER_INJECTION, listed
from tests.chaos.story import JobStory
from tests.chaos.webhook_killer import FOLDERS, QUEUE, WebhookKiller
from tests.chaos.webhook_receiver import Behaviour, WebhookReceiver
from tests.chaos.webhook_verdict import (
    Closed,
    Endpoint,
    mark_of,
    missing,
    transitions_of,
    violations_of_endpoints,
    violations_of_job,
)

WAITS = "0,1,1,2,2,3,3,4,4,5,5,5"
"""Seconds before each attempt at a delivery: no receiver of the run refuses an event so often."""

_ALL = frozenset(str(each) for each in WebhookEventType)
_ENDS = frozenset({"job.completed", "job.failed", "job.cancelled"})

_STANDING = {
    "accepts": Behaviour(200),
    "fails": Behaviour(500, times=4, every=8),
    "busy": Behaviour(429, times=3, every=10),
    "closes": Behaviour("close", times=3, every=8),
    "hangs": Behaviour("hang", times=1, every=60),
}
"""The endpoints that accept in the end. Fewer than five failures follow each other at first, so none is paused."""

_DOWN = {"down": Behaviour(500, times=7)}
"""One that is paused after five failures, for 1, 2 and 4 minutes: only long runs have time for it. A fourth pause would
be longer than `_SETTLING`."""

_LONG = 60
"""The number of jobs of a long run."""

_CLOSING = {
    "gone": Behaviour(410, times=10**6),
    "disabled": Behaviour(500, times=2, every=3),
    "deleted": Behaviour(500, times=2, every=3),
}
"""The endpoints that are closed while a job runs."""

_MOST = 14
"""The most endpoints that an owner keeps, of the 20 that are allowed; the oldest closed ones are deleted."""

_SETTLING = 300.0
"""Seconds to wait for events that are owed, after the last sign that they are coming."""


class Webhooks:
    """The endpoints of all users of a run. `killer` kills the functions of webhooks meanwhile."""

    def __init__(self, stack: LocalStack, receiver: WebhookReceiver, plan: Plan) -> None:
        self._stack = stack
        self._receiver = receiver
        self._seed = plan.seed
        self._standing = {**_STANDING, **(_DOWN if len(plan.jobs) >= _LONG else {})}
        self.killer = WebhookKiller(stack, plan.seed)
        self.endpoints: list[Endpoint] = []
        self.broken: list[str] = []
        self.seconds_owed = 0.0
        """How long the events took that were owed when the last job had ended."""

    async def open_standing(self, api: httpx.AsyncClient, owner: str, lane: int) -> None:
        """Create the endpoints of an owner that stay: one that accepts all, and two of the others."""
        troubled = [kind for kind in self._standing if kind != "accepts"]
        first = (lane + self._seed) % len(troubled)
        for kind in ("accepts", troubled[first], troubled[(first + 1) % len(troubled)]):
            await self._open(api, owner, kind, f"{owner}-{kind}", self._standing[kind])

    async def open_closing(self, api: httpx.AsyncClient, owner: str, job: int) -> Endpoint:
        """Create an endpoint that is closed while the job of this number runs."""
        kind = [*_CLOSING][(job + self._seed) % len(_CLOSING)]
        await self._make_room(api, owner)
        return await self._open(api, owner, kind, f"{owner}-{job}-{kind}", _CLOSING[kind])

    def job_created(self, owner: str, job_id: str) -> None:
        """Note which endpoints were open when a job was created: they were before, so they are told of it."""
        for each in self._of(owner):
            if each.closed is None and not each.closing:
                each.jobs.add(job_id)

    async def close(self, api: httpx.AsyncClient, endpoint: Endpoint, job: int) -> None:
        """Disable or delete the endpoint some time after the job's start; one that answers 410 closes itself."""
        if endpoint.kind != "gone":
            await asyncio.sleep(random.Random(f"close {self._seed} {job}").uniform(0.2, 5))
            endpoint.closing = True
            if endpoint.kind == "disabled":
                await self._send(api, "PATCH", endpoint.path, {"status": "disabled"})
            else:
                await self._send(api, "DELETE", endpoint.path)
                endpoint.deleted = True
            await self._note_closed(endpoint)

    async def look_for_gone(self, api: httpx.AsyncClient, owner: str) -> None:
        """Note the owner's endpoints that a 410 has disabled meanwhile."""
        for each in self._of(owner):
            if each.kind == "gone" and each.closed is None:
                shown = (await self._send(api, "GET", each.path))["data"]
                if shown["status"] == "disabled" and shown["disabledReason"] == "gone":
                    await self._note_closed(each)

    async def settle(self, stories: Sequence[JobStory], api_of: Any) -> None:
        """Wait until every endpoint that accepts has accepted what it is owed, and each that is gone is disabled.

        Wait no longer if no record and no message is left, or if nothing has changed for `_SETTLING` seconds: then
        nothing will come. On a busy machine the consumer of the table's stream is many minutes behind.
        """
        began = changed = time.monotonic()
        left, seen = True, None
        while left and time.monotonic() - changed < _SETTLING:
            left, state = await asyncio.to_thread(self._what_is_left)
            if state != seen:
                seen, changed = state, time.monotonic()
            for owner in {each.owner for each in self.endpoints}:
                async with api_of(owner) as api:
                    await self.look_for_gone(api, owner)
            self.collect()
            if not self._owed(stories):
                break
            await asyncio.sleep(0.5)
        self.seconds_owed = time.monotonic() - began

    def collect(self) -> None:
        """Take what the receiver has received until now."""
        for each in self.endpoints:
            each.requests = self._receiver.requests_to(each.name)

    def judge(self, stories: Sequence[JobStory]) -> None:
        """Add to each story what its events broke, and to `broken` what is wrong whatever job it is about."""
        self.collect()
        for story in stories:
            story.problems += violations_of_job(story, self._of(story.owner))
        self.broken += violations_of_endpoints(self.endpoints)
        given_up = sum(self._stack.sources()["queues"]["millrace-DeliverWebhookDeadLetters"].values())
        if given_up:
            self.broken.append(f"{given_up} messages were received five times and given up")

    def remarks(self, stories: Sequence[JobStory]) -> list[str]:
        """Return lines that tell what the verdict has looked at, and what was done to the functions of webhooks."""
        return [
            f"webhooks: {listed(self._counts(stories))}",
            f"done to webhooks: {listed(self.killer.done)}",
            f"the last events that were owed were accepted {self.seconds_owed:.0f} s after the last job's end",
        ]

    def too_rare(self, jobs: int) -> list[str]:
        """Return what was done or received too rarely for a run of this number of jobs to mean anything."""
        made = Counter({f"{folder} killed": 0 for folder in FOLDERS})
        for what, count in self.killer.done.items():
            made[" ".join(what.split()[:2])] += count
        for answer in (200, 410, 429, 500, "close", "hang"):
            made[f"answered {answer}"] = sum(
                request.answer == answer for each in self.endpoints for request in each.requests
            )
        least = jobs // JOBS_PER_INJECTION
        return [f"webhooks: {what} only {count} times, not {least}" for what, count in made.items() if count < least]

    def _counts(self, stories: Sequence[JobStory]) -> Counter[str]:
        """Return what the verdict has looked at, by name."""
        counts = Counter[str]()
        counts["transitions"] = sum(
            len(transitions.required) + len(transitions.one_of) for transitions in map(transitions_of, stories)
        )
        for each in self.endpoints:
            counts[f"webhooks that are {each.kind}" if each.kind in _CLOSING else f"webhooks: {each.kind}"] += 1
            counts["requests, every signature verified"] += len(each.requests)
            counts.update(f"answered {request.answer}" for request in each.requests)
            ids = {request.event_id for request in each.requests}
            counts["events with an id, by webhook"] += len(ids)
            counts["requests after the first of an event"] += len(each.requests) - len(ids)
            counts["webhooks closed"] += each.closed is not None
            counts["attempts under way at a closure"] += (
                0 if each.closed is None else sum(each.closed.under_way.values())
            )
        return counts

    def _what_is_left(self) -> tuple[bool, tuple[int, int]]:
        """Return whether a record waits for dispatch, or a delivery is in the queue or being attempted.

        Return also how many records wait, and how many requests have been received: they change while events come.
        """
        sources = self._stack.sources()
        waiting = sources["streams"]["millrace-dispatch_webhooks"]["waiting"]
        received = sum(len(self._receiver.requests_to(each.name)) for each in self.endpoints)
        return bool(waiting or sum(sources["queues"][QUEUE].values())), (waiting, received)

    def _of(self, owner: str) -> list[Endpoint]:
        return [each for each in self.endpoints if each.owner == owner]

    def _owed(self, stories: Sequence[JobStory]) -> bool:
        for story in stories:
            transitions = transitions_of(story)
            for each in self._of(story.owner):
                # One that answers 410 accepts nothing: it is owed that it is disabled.
                if each.closed is None and story.job_id in each.jobs and missing(transitions, each):
                    return True
        return False

    async def _open(self, api: httpx.AsyncClient, owner: str, kind: str, name: str, behaviour: Behaviour) -> Endpoint:
        types = _ENDS if kind == "busy" else _ALL
        body = {
            "url": self._receiver.open(name, behaviour),
            "eventTypes": sorted(types),
            "include": ["result"] if kind == "accepts" else [],
        }
        made = (await self._send(api, "POST", "/webhooks", body))["data"]
        self._receiver.verify_with(name, made["secret"])
        path = f"/webhooks/{made['webhookId']}"
        endpoint = Endpoint(made["webhookId"], name, owner, kind, types, made["secret"], path)
        self.endpoints.append(endpoint)
        return endpoint

    async def _make_room(self, api: httpx.AsyncClient, owner: str) -> None:
        kept = [each for each in self._of(owner) if not each.deleted]
        closed = [each for each in kept if each.closed is not None]
        for each in closed[: max(0, len(kept) - _MOST)]:
            await self._send(api, "DELETE", each.path)
            each.deleted = True

    async def _note_closed(self, endpoint: Endpoint) -> None:
        """Note which attempts are under way, after the endpoint is known to be closed.

        An attempt that has ended well was noted by the receiver before. One that was killed may have sent its request.
        """
        records = await asyncio.to_thread(self._stack.invocations, endpoint.id)
        under_way = Counter[str]()
        for each in records:
            if not each["ended"] or each["errorType"] is not None:
                under_way.update(mark_of(delivery) for delivery in _deliveries(each["payload"], endpoint.id))
        endpoint.closed = Closed(len(self._receiver.requests_to(endpoint.name)), under_way)

    async def _send(
        self, api: httpx.AsyncClient, method: str, path: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Send a request, again while it is answered 503. Raises httpx.HTTPStatusError for a refusal."""
        while True:
            answer = await api.request(method, path, json=body)
            if answer.status_code != 503:
                answer.raise_for_status()
                return dict(answer.json())
            await asyncio.sleep(0.2)


def _deliveries(payload: dict[str, Any], endpoint_id: str) -> list[str]:
    """Return the ids of the deliveries to the endpoint that a batch of the queue names."""
    messages = [json.loads(each["body"]) for each in payload.get("Records", ()) if "body" in each]
    return [each["deliveryId"] for each in messages if each["endpointId"] == endpoint_id]
