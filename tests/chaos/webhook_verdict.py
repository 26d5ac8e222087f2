"""Check the promises of docs/webhooks.md: which events each endpoint has received, and how."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.jobs.ids import ulid_of
from shared.storage import keys
from shared.webhooks.delivery import delivery_id
from tests.chaos.story import JobStory, stored_log
from tests.chaos.webhook_receiver import Request

_ENDS = ("completed", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Closed:
    """An endpoint after it was disabled or deleted.

    `received` is how many requests it had received when that was known, and `under_way` how many attempts at each
    delivery were being made then or were killed before, by `delivery_mark`.
    """

    received: int
    under_way: Mapping[str, int]


@dataclass(slots=True)
class Endpoint:
    """An endpoint of the run and what it has received.

    `kind` is its behaviour. It wants the events of these types; `first_job` is the number of the first job of its owner
    that was created after it. `closed` is None if it accepts in the end.
    """

    id: str
    name: str
    owner: str
    kind: str
    event_types: frozenset[str]
    secret: str
    path: str
    closed: Closed | None = None
    closing: bool = False
    deleted: bool = False
    jobs: set[str] = field(default_factory=set)
    """The ids of the jobs that were created while it was open."""
    requests: Sequence[Request] = ()


@dataclass(frozen=True, slots=True)
class Transitions:
    """The events of a job by id, with their types: those that must be sent, and those that may be.

    `one_of`: exactly one of each set must be sent.
    """

    required: Mapping[str, str]
    allowed: Mapping[str, str]
    one_of: Sequence[frozenset[str]] = ()


def delivery_mark(endpoint_id: str, event_id: str) -> str:
    """Return the part of a delivery's id that does not depend on the time of the event."""
    return mark_of(delivery_id(endpoint_id, event_id, datetime(2026, 1, 1, tzinfo=UTC)))


def mark_of(delivery: str) -> str:
    """Return the part of this delivery's id that does not depend on the time of the event."""
    return delivery[-16:]


def transitions_of(story: JobStory) -> Transitions:
    """Return the events of the changes that the job's item, log and watchers show.

    A process may die between the change to `in_progress` and the first event of its stage: then nothing but the stream
    shows that change, and its event may be sent.
    """
    item = story.stored[keys.JOB]
    last = int(item["generation"])
    required: dict[str, str] = {}
    allowed: dict[str, str] = {}
    one_of: list[frozenset[str]] = []
    started = _started(story)
    for generation in range(1, last + 1):
        required[_id(story, generation, "pending")] = "job.created" if generation == 1 else "job.resumed"
        begun = required if generation in started else allowed
        begun[_id(story, generation, "in_progress")] = "job.started"
        if generation == last:
            if item["status"] in _ENDS:
                required[_id(story, generation, item["status"])] = f"job.{item['status']}"
            continue
        ends = {_id(story, generation, end): f"job.{end}" for end in ("failed", "cancelled")}
        allowed |= ends
        one_of.append(frozenset(ends))
    return Transitions(required, {**allowed, **required}, one_of)


def _id(story: JobStory, generation: int, status: str) -> str:
    return f"evt_{ulid_of(story.job_id)}_{generation}_{status}"


def _started(story: JobStory) -> set[int]:
    """Return the generations in which a stage has begun."""
    found = {event.fence.generation for event in stored_log(story) if event.type == "stage"}
    steady = story.watchers[0]
    return found | {
        generation
        for generation, events in enumerate(steady.generations, start=1)
        if any(event.type == "stage" for event in events)
    }


def missing(transitions: Transitions, endpoint: Endpoint) -> list[str]:
    """Return the events of a job that the endpoint wants, and has not accepted."""
    accepted = {each.event_id for each in endpoint.requests if each.answer == 200}
    lacking = [
        each for each, kind in transitions.required.items() if kind in endpoint.event_types and each not in accepted
    ]
    for ends in transitions.one_of:
        wanted = {each for each in ends if transitions.allowed[each] in endpoint.event_types}
        # An endpoint that is told of one end only cannot tell which it was.
        if wanted == ends and not wanted & accepted:
            lacking.append(" or ".join(sorted(wanted)))
    return lacking


def violations_of_job(story: JobStory, endpoints: Iterable[Endpoint]) -> Iterator[str]:
    """Yield what was sent wrongly, or not at all, about a job to the endpoints that were open when it was created."""
    transitions = transitions_of(story)
    ulid = ulid_of(story.job_id)
    for endpoint in endpoints:
        if story.job_id not in endpoint.jobs:
            continue
        received = {each.event_id for each in endpoint.requests if f"_{ulid}_" in each.event_id}
        about = {each.event_id for each in endpoint.requests if _about(each).get("jobId") == story.job_id}
        wanted = {each for each, kind in transitions.allowed.items() if kind in endpoint.event_types}
        for unknown in sorted((received | about) - wanted):
            yield f"webhook {endpoint.name} was told of {unknown}, which did not happen, or which it does not want"
        for ends in transitions.one_of:
            if len(ends & received) > 1:
                yield f"webhook {endpoint.name} was told of several ends of one generation: {sorted(ends & received)}"
        if endpoint.closed is None:
            for lacking in missing(transitions, endpoint):
                yield f"webhook {endpoint.name} ({endpoint.kind}) has not accepted {lacking}"
        for each in endpoint.requests:
            if each.event_id in wanted:
                yield from _of_body(endpoint, each, transitions.allowed[each.event_id])


def _about(request: Request) -> dict[str, Any]:
    try:
        data = json.loads(request.body)["data"]
    except (ValueError, KeyError, TypeError):
        return {}
    return data if isinstance(data, dict) else {}


def _of_body(endpoint: Endpoint, request: Request, kind: str) -> Iterator[str]:
    generation, status = request.event_id.split("_", 3)[2:]
    event, data = json.loads(request.body), _about(request)
    told = (event["type"], data.get("generation"), data.get("status"))
    if told != (kind, int(generation), status):
        yield f"webhook {endpoint.name} was told {told} by {request.event_id}"


def violations_of_endpoints(endpoints: Sequence[Endpoint]) -> Iterator[str]:
    """Yield what is wrong with requests whatever job they are about: signatures, bodies, requests after the end."""
    for endpoint in endpoints:
        bodies: dict[str, set[bytes]] = {}
        for each in endpoint.requests:
            bodies.setdefault(each.event_id, set()).add(each.body)
            if each.problem is not None:
                yield f"webhook {endpoint.name}: the signature of {each.event_id} is not valid: {each.problem}"
        for event_id, sent in bodies.items():
            if len(sent) > 1:
                yield f"webhook {endpoint.name}: {event_id} had {len(sent)} different bodies"
        gone = any(each.answer == 410 for each in endpoint.requests)
        if gone and endpoint.closed is None:
            yield f"webhook {endpoint.name} answered 410 and is not disabled"
        yield from _after_the_end(endpoint)


def _after_the_end(endpoint: Endpoint) -> Iterator[str]:
    """Yield the requests that no attempt can have sent that was under way when the endpoint was closed."""
    if endpoint.closed is None:
        return
    later = Counter(each.event_id for each in endpoint.requests[endpoint.closed.received :])
    for event_id, count in later.items():
        expected = endpoint.closed.under_way.get(delivery_mark(endpoint.id, event_id), 0)
        if count > expected:
            yield (
                f"webhook {endpoint.name} ({endpoint.kind}) received {event_id} after it was closed: {count} times, "
                f"with {expected} attempts under way"
            )


def secrets_in(logs: Path, endpoints: Iterable[Endpoint]) -> Iterator[str]:
    """Yield the log files of the stack that contain the secret of an endpoint."""
    secrets = {endpoint.name: endpoint.secret.removeprefix("whsec_").encode() for endpoint in endpoints}
    for file in sorted(each for each in logs.rglob("*") if each.is_file()):
        text = file.read_bytes()
        for name, secret in secrets.items():
            if secret in text:
                yield f"{file.name} contains the secret of webhook {name}"
