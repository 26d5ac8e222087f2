"""One message to a video project as its watcher sees it: when each step of its job is told, and when it is saved."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.api_user import ApiUser, data_of

STEPS = ("accepted", "first event", "decided", "briefed", "written", "built", "saved", "complete")
"""The steps of a job in their order; a job without a model has neither brief nor code."""

_BY_ITEM = {"decision": "decided", "brief": "briefed", "code": "written", "build": "built", "scene": "saved"}


class MessageFailed(Exception):
    """A message did not do what the benchmark measures."""


@dataclass(slots=True)
class Answered:
    """When each step of a message's job was told to its watcher, in milliseconds after the request was sent."""

    at: dict[str, float] = field(default_factory=dict)

    def note(self, step: str, began: float) -> None:
        """Note the first time of a step."""
        self.at.setdefault(step, (time.perf_counter() - began) * 1000)

    def steps(self) -> dict[str, float]:
        """Return how long each step took after the one before it."""
        known = [(step, self.at[step]) for step in STEPS if step in self.at]
        before = [0.0, *(at for _, at in known)]
        return {step: at - earlier for (step, at), earlier in zip(known, before, strict=False)}


def answer_to(user: ApiUser, project_id: str, message: Mapping[str, Any]) -> Answered:
    """Send a message, and follow its job to its end over the stream."""
    answered, began = Answered(), time.perf_counter()
    sent = data_of(user.api.post(f"/projects/{project_id}/messages", json=message), 202)
    answered.note("accepted", began)
    with user.stream(sent["jobId"]) as source:
        for event in source.iter_sse():
            answered.note("first event", began)
            if event.event == "item":
                step = _BY_ITEM.get(json.loads(event.data)["key"].partition("-")[0])
                if step is not None:
                    answered.note(step, began)
            elif event.event in {"error", "cancelled"}:
                raise MessageFailed(f"{message}: {event.data}")
            elif event.event == "complete":
                answered.note("complete", began)
                break
    if "saved" not in answered.at:
        raise MessageFailed(f"{message}: it changed no scene")
    return answered
