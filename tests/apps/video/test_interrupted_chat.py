"""Messages that are answered at the same time, and a message whose job is cancelled and resumed in each stage."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from local.model.control import ModelControl
from local.stack import LocalStack
from shared.jobs.ids import ulid_of
from tests.api_user import ApiUser, data_of, wait_until
from tests.apps.video.compiler_lane import require_compiler
from tests.apps.video.requests import get_project, new_project, send

require_compiler()

AT_ONCE = {"first_token_ms": 0, "token_ms": 0}
CALLS = {"scene_decision": 1, "scene_plan": 1, "code of Title": 1, "code of Split 2": 1}
"""The calls of the model for two scenes, if nothing is made twice."""
SAVE = "SaveScenesFunction"
CODE = """import { AbsoluteFill, useCurrentFrame } from "@millrace/scene";
export default function Scene({ title = "Rivers" }) {
  return <AbsoluteFill>{title} {useCurrentFrame()}</AbsoluteFill>;
}
"""


def test_ten_messages_at_once_that_each_add_a_scene_make_ten_scenes(stack: LocalStack, user: ApiUser) -> None:
    project_id = new_project(user)["projectId"]
    names = [f"Scene {number}" for number in range(10)]

    def add(name: str) -> str:
        tool = {"name": "addScene", "arguments": {"name": name, "seconds": 1, "tsxCode": CODE}}
        return str(send(user, project_id, text=f"Add {name}", tool=tool)["jobId"])

    # The first job to save has read the project, and writes after the other nine have changed it.
    with stack.holding("GetItem", f'"PROJECT#{project_id}"', executed=True, function=SAVE) as held:
        with ThreadPoolExecutor(len(names)) as pool:
            jobs = list(pool.map(add, names))
        wait_until(held)
        wait_until(lambda: get_project(user, project_id)["revision"] == len(names))

    ended = [user.ended(each) for each in jobs]
    assert [(each["status"], each["failure"]) for each in ended] == [("completed", None)] * len(names)
    assert sorted(each["result"]["revision"] for each in ended) == list(range(2, 12))
    scenes = get_project(user, project_id)["scenes"]
    assert sorted(each["name"] for each in scenes) == names
    assert {each["sceneId"] for each in scenes} == {f"scn_{ulid_of(each)}-0" for each in jobs}


# ---- cancel and resume -----------------------------------------------------------------------------------------------


class Message:
    """One message that asks for two scenes, and what has become of it."""

    def __init__(self, stack: LocalStack, user: ApiUser, model: ModelControl) -> None:
        self.stack = stack
        self.user = user
        self.model = model
        self.name = uuid.uuid4().hex
        self.project_id = str(new_project(user)["projectId"])
        self.job_id = ""

    def send(self) -> None:
        text = f"Please make a video in two scenes for Rivers; {self.name}"
        self.job_id = str(send(self.user, self.project_id, text=text)["jobId"])

    @contextmanager
    def paused_at_call(self, number: int) -> Iterator[None]:
        """Send the message, and run the block while the `number`-th call of the model is within its output."""
        if number > 1:
            self.model.script(match=self.name, times=number - 1, **AT_ONCE)
        self.model.script(match=self.name, times=1, pause_after=3, **AT_ONCE)
        self.model.script(match=self.name, **AT_ONCE)
        self.send()
        wait_until(lambda: [each["tokens_sent"] for each in self._requests()][number - 1 : number] == [3])
        yield

    @contextmanager
    def held_at_save(self, *, executed: bool) -> Iterator[None]:
        """Send the message, and run the block while the transaction of the save is held."""
        self.model.script(match=self.name, **AT_ONCE)
        project = f'"PROJECT#{self.project_id}"'
        with self.stack.holding("TransactWriteItems", project, executed=executed, function=SAVE) as held:
            self.send()
            wait_until(held)
            yield

    def asked(self) -> dict[str, int]:
        """Return how often the model was asked for what."""
        return dict(Counter(map(_what, self._requests())))

    def _requests(self) -> list[dict[str, Any]]:
        return [each for each in self.model.requests() if self.name in str(each["messages"])]


def _what(request: dict[str, Any]) -> str:
    brief = re.search(r'"name": ?"(Title|Split 2)"', str(request["messages"]))
    return request["schema_name"] or f"code of {brief and brief[1]}"


Held = Callable[[Message], Any]
INTERRUPTED: dict[str, tuple[Held, dict[str, int]]] = {
    "decide_tool": (lambda message: message.paused_at_call(1), {"scene_decision": 2}),
    "brief_scenes": (lambda message: message.paused_at_call(2), {"scene_plan": 2}),
    "make_scenes": (lambda message: message.paused_at_call(3), {"code of Title": 2}),
    "make_scenes, behind a scene": (lambda message: message.paused_at_call(4), {"code of Split 2": 2}),
    "save_scenes, before it is stored": (lambda message: message.held_at_save(executed=False), {}),
    "save_scenes, when it is stored": (lambda message: message.held_at_save(executed=True), {}),
}
"""Where the job is cancelled, and what the model is asked for once more, because its output was not whole."""


@pytest.mark.parametrize("where", INTERRUPTED)
def test_a_job_that_is_cancelled_and_resumed_makes_nothing_again(
    stack: LocalStack, user: ApiUser, model: ModelControl, where: str
) -> None:
    hold, again = INTERRUPTED[where]
    message = Message(stack, user, model)

    with hold(message):
        assert user.cancel(message.job_id).status_code == 200
        assert user.job(message.job_id)["status"] == "cancelled"
    data_of(user.api.post(f"/jobs/{message.job_id}/resume"), 202)
    job = user.ended(message.job_id)

    assert (job["status"], job["result"] and job["result"]["revision"]) == ("completed", 2)
    assert message.asked() == CALLS | again
    project = get_project(user, message.project_id)
    assert [each["sceneId"] for each in project["scenes"]] == [
        f"scn_{ulid_of(message.job_id)}-{part}" for part in (0, 1)
    ]
    assert (project["revision"], [each["version"] for each in project["scenes"]]) == (2, [2, 2])
    answer, asked = data_of(user.api.get(f"/projects/{message.project_id}/messages"))["messages"]
    assert (asked["status"], answer["revision"], len(answer["changes"])) == ("completed", 2, 2)
