"""`make bench-video`: measure how long a message to a video takes until its change is told."""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from local.stack import WITHOUT_RATE_LIMITS, LocalStack
from shared.apps.video.build.toolchain import is_installed
from tests.api_user import ApiUser
from tests.apps.video.compiler_lane import PACKAGES
from tests.apps.video.requests import get_project, new_project
from tests.bench.__main__ import usage_of
from tests.bench.builds import percentile
from tests.bench.video_messages import STEPS, Answered, answer_to

DIRECT_MS = 500.0
"""Target: a change without a model, from the message to the event of the scene, in milliseconds."""
GENERATED_MS = 600.0
"""Target: the same of a scene that a model writes, without the model's time."""
AT_ONCE = {"token_ms": 0, "first_token_ms": 0}
"""The script of a model that takes no time, so that all that is measured is the program's own share."""
WARM_UP = 3
SCENE = "Add a scene with our revenue as bars"

Message = Mapping[str, Any]
_CONSOLE = Console(width=110, highlight=False)


def main() -> int:
    """Print the figures; return 1 if a target is missed and `--check` asks for that."""
    parser = argparse.ArgumentParser(prog="make bench-video", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="messages of each kind")
    parser.add_argument("--check", action="store_true", help="fail if a target is missed")
    options = parser.parse_args()
    if not PACKAGES.is_dir() or not is_installed():
        _CONSOLE.print("the compiler of scenes is not installed: make video")
        return 1
    with LocalStack(environment=WITHOUT_RATE_LIMITS) as stack, closing(ApiUser(stack, "bench")) as user:
        control = stack.model_url.removesuffix("/v1") + "/_script"
        httpx.post(control, json={"match": None, "times": None, "behaviour": AT_ONCE}).raise_for_status()
        missed = [each for each in measured(stack, user, options.rounds) if each]
    _CONSOLE.print(f"missed: {', '.join(missed)}" if missed else "all targets are met")
    return 1 if missed and options.check else 0


def measured(stack: LocalStack, user: ApiUser, rounds: int) -> Iterator[str]:
    """Measure each kind of message, print all figures, and yield which targets are missed."""
    project_id = new_project(user)["projectId"]
    for _ in range(WARM_UP):
        answer_to(user, project_id, {"text": SCENE})
    title = f"Medians in milliseconds of {rounds} messages of each kind, load {os.getloadavg()[0]:.1f}"
    table = Table(title=title, title_justify="left")
    for heading in ("message", *(f"+ {step}" for step in STEPS[1:-1]), "to the scene: p50", "p95", "CPU ms"):
        table.add_column(heading, justify="left" if heading == "message" else "right")
    for kind, message in KINDS.items():
        before = sum(usage_of(stack).seconds.values())
        answers = [answer_to(user, project_id, message(get_project(user, project_id), turn)) for turn in range(rounds)]
        cpu = (sum(usage_of(stack).seconds.values()) - before) / rounds * 1000
        saved = [each.at["saved"] for each in answers]
        table.add_row(
            kind,
            *steps_of(answers),
            *(f"{each:.0f}" for each in (median(saved), percentile(saved, 0.95))),
            f"{cpu:.0f}",
        )
        target = GENERATED_MS if kind == GENERATED else DIRECT_MS
        yield "" if median(saved) <= target else f"{kind}: {median(saved):.0f} ms > {target:.0f} ms"
    _CONSOLE.print(table)


def steps_of(answers: Sequence[Answered]) -> Iterator[str]:
    """Yield the median time of each step; nothing for a step that these messages do not have."""
    for step in STEPS[1:-1]:
        took = [each.steps()[step] for each in answers if step in each.steps()]
        yield f"{median(took):.0f}" if took else ""


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def _tool(name: str, **arguments: Any) -> Message:
    return {"text": name, "tool": {"name": name, "arguments": arguments}}


def _first(project: Mapping[str, Any]) -> str:
    return str(project["scenes"][0]["sceneId"])


def _patch(project: Mapping[str, Any], path: str, value: Any) -> Message:
    return _tool("applyPatch", ops=[{"op": "add", "path": f"/scenes/{_first(project)}/{path}", "value": value}])


def _duration(project: Mapping[str, Any], turn: int) -> Message:
    return _tool("changeDuration", sceneId=_first(project), mode="trim", seconds=2 + turn % 2)


def _delete(project: Mapping[str, Any], _: int) -> Message:
    return _tool("deleteScene", sceneIds=[str(project["scenes"][-1]["sceneId"])])


GENERATED = "a generated scene"
KINDS: Mapping[str, Callable[[Mapping[str, Any], int], Message]] = {
    GENERATED: lambda _, turn: {"text": f"{SCENE} {turn}"},
    "rename": lambda project, turn: _patch(project, "name", f"Title {turn}"),
    "duration": _duration,
    "patch of a text": lambda project, turn: _patch(project, "props/title", f"Tidewater {turn}"),
    "delete": _delete,
    "rename, in words": lambda _, turn: {"text": f"rename scene 1 to “Opening {turn}”"},
}
"""The messages that are measured. Scenes are generated first, so there is one to delete in each round."""


if __name__ == "__main__":
    raise SystemExit(main())
