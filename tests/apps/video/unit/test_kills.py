"""An attempt that is killed at any of its writes to the log loses nothing, and makes and tells nothing twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest

from shared.jobs.job import Job
from shared.log.event_log import Batch
from tests.apps.video.chat_world import VideoWorld
from tests.apps.video.scripted_model import ScriptedVideoModel

MESSAGE = "Please make a video in two scenes for Rivers [[code: undefined_name]]"
ONCE = ("planned", "playable")
WITHOUT_A_KILL = 6
"""A decision, a plan, and for each of two scenes its code and its repair."""


class Killed(BaseException):
    """The process of the attempt is gone."""


class Appends:
    """Counts the appends to the log. The process is killed at the `at`-th, from 0, before or after it is stored."""

    def __init__(self, world: VideoWorld, at: int, *, stored: bool) -> None:
        self._append = world.core.log.append
        self._at = at
        self._stored = stored
        self.made = 0
        self.dead = False

    def __call__(self, job_id: str, batch: Batch) -> int:
        if self.dead:
            raise Killed
        self.dead = self.made == self._at
        self.made += 1
        watched = self._append(job_id, batch) if not self.dead or self._stored else 0
        if self.dead:
            raise Killed
        return watched


def run_killed(world: VideoWorld, model: ScriptedVideoModel, job: Job, at: int, *, stored: bool) -> bool:
    """Run the four stages, with one attempt that is killed, and its retry; return whether one was killed."""
    appends = Appends(world, at, stored=stored)
    stages: tuple[Callable[..., Any], ...] = (
        lambda retry: world.decide(job, model, retry=retry),
        lambda retry: world.brief(job, model, retry=retry),
        lambda retry: world.make(job, model, retry=retry),
        lambda retry: world.save(job, retry=retry),
    )
    with patch.object(world.core.log, "append", appends):
        for stage in stages:
            try:
                stage(0)
            except Killed:
                appends.dead = False
                stage(1)
    return appends.made > at


def outcomes(message: str, *, stored: bool) -> Iterator[tuple[VideoWorld, ScriptedVideoModel, Job]]:
    """Yield the world, the model and the job after a kill at each append, one after the other."""
    at, killed = 0, True
    while killed:
        world, model = VideoWorld(), ScriptedVideoModel()
        job = world.new_job(message)
        killed = run_killed(world, model, job, at, stored=stored)
        yield world, model, job
        at += 1


@pytest.mark.parametrize("stored", [False, True], ids=["before it", "behind it"])
def test_after_a_kill_at_any_append_each_scene_is_made_and_told_once(*, stored: bool) -> None:
    for world, model, job in outcomes(MESSAGE, stored=stored):
        project = world.projects.get(world.project.id)
        assert project is not None
        assert [each.name for each in project.manifest.scenes[3:]] == ["Title", "Split 2"]
        assert project.revision == world.project.revision + 1
        events = [each.model_dump() for each in world.core.events(job)]
        items = Counter(each["key"] for each in events if each["type"] == "item")
        assert {key: count for key, count in items.items() if count > 1} == {"code-1": 3, "code-2": 3}
        told = Counter((each["key"], each["status"]) for each in events if each["type"] == "sceneStatus")
        once = [(f"scene-{each.scene_id}", status) for each in project.manifest.scenes[3:] for status in ONCE]
        assert {pair: told[pair] for pair in once} == dict.fromkeys(once, 1)
        asked = Counter(str(each.messages) for each in model.requests)
        assert len(asked) == WITHOUT_A_KILL
        assert sum(asked.values()) <= WITHOUT_A_KILL + 1


@pytest.mark.parametrize("stored", [False, True], ids=["before it", "behind it"])
def test_after_a_kill_at_any_append_a_present_scene_is_changed_and_told_once(*, stored: bool) -> None:
    for world, _, job in outcomes("make scene 2 faster", stored=stored):
        project = world.projects.get(world.project.id)
        assert project is not None
        assert project.revision == world.project.revision + 1
        items = Counter(
            each["key"] for event in world.core.events(job) if (each := event.model_dump())["type"] == "item"
        )
        assert items == dict.fromkeys(["decision", "build-1", f"scene-{world.scene_ids[1]}"], 1)
