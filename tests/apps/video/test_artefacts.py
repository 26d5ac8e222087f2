"""A built function compiles and plays a scene under the emulator, with the compiler from the layer that SAM lays out.

Its process has nothing of this machine's packages, and the event is the one of `events/video` with a scene as its tool.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.apps.video.artefacts import STAGES, a_project
from tests.contract.answers import JOB, Place, after, ask, data, payload
from tests.contract.emulator import Emulator

SCENE = """\
import { AbsoluteFill, interpolate, useCurrentFrame } from "@millrace/scene";

export default function Title({ title = "Tidewater" }: { title?: string }) {
  const opacity = interpolate(useCurrentFrame(), [0, 20], [0, 1], { extrapolateRight: "clamp" });
  return <AbsoluteFill style={{ opacity }}>{title}</AbsoluteFill>;
}
"""


def sent(emulator: Emulator, code: str) -> Place:
    """Create a project, and the job of a message that adds a scene with this code."""
    place = a_project(emulator)
    request = payload("send_message.valid", place)
    request["headers"]["idempotency-key"] = str(uuid.uuid4())
    arguments = {"name": "Title", "tsxCode": code, "seconds": 2, "props": {"title": "Launch"}}
    request["body"] = json.dumps({"text": "Add it", "tool": {"name": "addScene", "arguments": arguments}})
    request["headers"]["content-length"] = str(len(request["body"]))
    return {**place, JOB: data(emulator.invoke("send_message", request), 202)["jobId"]}


def scenes_of(emulator: Emulator, place: Place) -> list[dict[str, Any]]:
    request = payload("get_project.valid", place)
    request |= {"rawQueryString": "code=true", "queryStringParameters": {"code": "true"}}
    scenes: list[dict[str, Any]] = data(emulator.invoke("get_project", request))["scenes"]
    return scenes


def test_a_built_function_compiles_and_plays_a_scene(emulator: Emulator) -> None:
    place = after(emulator, sent(emulator, SCENE), STAGES)

    (scene,) = scenes_of(emulator, place)

    assert (scene["name"], scene["durationInFrames"]) == ("Title", 60)
    assert scene["code"]["tsxCode"] == SCENE
    assert "export" in scene["code"]["jsCode"]
    assert ": { title?: string }" not in scene["code"]["jsCode"]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        pytest.param(("useCurrentFrame()", "useFrame()"), "line 4, column 31", id="an undefined name"),
        pytest.param(("{title}</Absolute", "{title}</Absolut"), "line 5, column", id="a tag that does not end"),
    ],
)
def test_a_built_function_refuses_a_broken_scene_with_its_place(
    emulator: Emulator, broken: tuple[str, str], said: str
) -> None:
    place = after(emulator, sent(emulator, SCENE.replace(*broken)), STAGES[:2])

    failure = ask(emulator, "make_scenes.first_attempt", place)

    assert failure["errorType"] == "ChangeRefused"
    assert said in failure["errorMessage"]
    assert scenes_of(emulator, place) == []
