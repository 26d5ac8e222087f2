"""Let the brain decide the cases, and compare its decisions with the labels."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.apps.video.brain.brain import Brain
from shared.apps.video.chat import DecideTool
from shared.apps.video.ids import scene_id
from shared.apps.video.plan import Plan
from shared.apps.video.tools.patch_document import parts_of
from shared.errors import MillraceError
from shared.llm.model import ChatModel
from tests.apps.video.chat_world import VideoWorld
from tests.apps.video.projects_world import put_scene, stored_project
from tests.evals.brain.cases import Case, Fixture, fixtures
from tests.fakes.decisions import FakeDecisionCache

_JOB = "job_01k00000000000000000000000"
_IMAGES = tuple(f"img_01k0000000000000000000000{letter}" for letter in "abc")


@dataclass(frozen=True, slots=True)
class Decided:
    """What the brain did with a case. `tool` is a tool, `ask` or `answer`; `failed` if the decision failed."""

    case: Case
    tool: str
    source: str
    confidence: float
    targets: tuple[int, ...] = ()
    arguments: tuple[dict[str, Any], ...] = ()
    tokens: int = 0
    problem: str = ""

    @property
    def right(self) -> bool:
        """Whether the tool is the label's, or one that is accepted too."""
        return self.tool == self.case.tool or self.tool in self.case.also

    @property
    def targets_right(self) -> bool | None:
        """Whether the scenes are the label's; None if the label has none, or the tool is another one."""
        if self.tool != self.case.tool or not self.case.targets:
            return None
        return set(self.targets) == set(self.case.targets)

    @property
    def arguments_right(self) -> bool | None:
        """Whether every labelled argument is as labelled in each call; None if none is, or the tool is another one."""
        if self.tool != self.case.tool or not self.case.args:
            return None
        return bool(self.arguments) and all(
            _has(arguments, name, value) for arguments in self.arguments for name, value in self.case.args.items()
        )


def _has(arguments: dict[str, Any], name: str, value: Any) -> bool:
    found = arguments.get(name)
    if isinstance(value, int | float) and isinstance(found, int | float):
        return math.isclose(found, value, rel_tol=0.01)
    return bool(found == value)


def decide(case: Case, model: ChatModel, model_name: str) -> Decided:
    """Let the brain decide a case on a new project."""
    world, ids = _world(fixtures()[case.project])
    for image_id in _IMAGES[: case.images]:
        world.add_image(image_id)
    if case.last:
        world.changed("Changed.", "editScene", *(ids[at - 1] for at in case.last))
    fields: dict[str, Any] = {
        "sceneIds": [ids[at - 1] for at in case.attached],
        "imageIds": list(_IMAGES[: case.images]),
        "selectedSceneId": None if case.selected is None else ids[case.selected - 1],
    }
    job = world.new_job(case.text, model=model_name, **fields)
    stage = DecideTool(Brain(model, FakeDecisionCache()), world.reading)
    try:
        world.core.run(stage, job)
    except MillraceError as error:
        return Decided(case, "failed", "model", 0, problem=f"{error.code}: {error.message}"[:200])
    ref = world.core.job(job.id).checkpoints[stage.name]
    plan = Plan.model_validate(world.core.checkpoints.get(job.id, stage.name, ref).output)
    return Decided(
        case,
        _tool_of(plan),
        plan.choice.source,
        plan.choice.confidence,
        targets=tuple(sorted({ids.index(each) + 1 for each in _targets(plan) if each in ids})),
        arguments=tuple(each.arguments for each in plan.calls),
        tokens=world.core.job(job.id).usage.total_tokens,
        problem=plan.question or "",
    )


def _world(fixture: Fixture) -> tuple[VideoWorld, tuple[str, ...]]:
    world = VideoWorld()
    scenes = [put_scene(_JOB, at, name=each.name, props=each.props) for at, each in enumerate(fixture.scenes)]
    world.project = stored_project(world.projects, *scenes, title=fixture.title)
    return world, tuple(scene_id(_JOB, at) for at in range(len(scenes)))


def _tool_of(plan: Plan) -> str:
    if plan.outcome == "asked":
        return "ask"
    return str(plan.choice.tool) if plan.outcome == "changed" else "answer"


def _targets(plan: Plan) -> list[str]:
    named: list[str] = []
    for call in plan.calls:
        named += [str(call.arguments["sceneId"])] if "sceneId" in call.arguments else []
        named += [str(each) for each in call.arguments.get("sceneIds") or ()]
        for operation in call.arguments.get("ops") or ():
            parts = parts_of(str(operation.get("path"))) or ()
            named += [parts[1]] if parts[:1] == ("scenes",) and len(parts) > 1 else []
    return named


# ---- figures ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Score:
    """How many of some decisions are right."""

    right: int
    of: int

    @property
    def share(self) -> float:
        return self.right / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The Wilson interval of 95 %."""
        if not self.of:
            return 0.0, 1.0
        z, n, p = 1.96, self.of, self.share
        middle, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return (middle - spread) / (1 + z * z / n), (middle + spread) / (1 + z * z / n)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run says: accuracy by kind, and how well the confidence fits."""

    tools: Score
    targets: Score
    arguments: Score
    hard: Score
    rules: Score
    by_tool: dict[str, tuple[Score, Score]] = field(default_factory=dict)
    """Precision and recall of each tool."""
    calibration: list[tuple[float, Score]] = field(default_factory=list)
    """Mean confidence and score of ten bins, for decisions of a model that acted."""

    @property
    def calibration_error(self) -> float:
        """The expected calibration error: the mean distance of confidence and accuracy, weighted by the bins."""
        total = sum(score.of for _, score in self.calibration)
        return sum(abs(mean - score.share) * score.of for mean, score in self.calibration) / max(1, total)


def figures_of(decided: Sequence[Decided]) -> Figures:
    """Return the figures of a run."""
    labels = sorted({each.case.tool for each in decided})
    by_tool = {}
    for tool in labels:
        said = [each for each in decided if each.tool == tool]
        meant = [each for each in decided if each.case.tool == tool]
        by_tool[tool] = (_score([each.right for each in said]), _score([each.right for each in meant]))
    return Figures(
        tools=_score([each.right for each in decided]),
        targets=_score([each.targets_right for each in decided]),
        arguments=_score([each.arguments_right for each in decided]),
        hard=_score([each.right for each in decided if each.case.hard]),
        rules=_score([_precise(each) for each in decided if each.source == "rule"]),
        by_tool=by_tool,
        calibration=_calibration([each for each in decided if each.source == "model" and each.tool != "failed"]),
    )


def _precise(decided: Decided) -> bool:
    return decided.right and decided.targets_right is not False and decided.arguments_right is not False


def _score(verdicts: Sequence[bool | None]) -> Score:
    known = [each for each in verdicts if each is not None]
    return Score(sum(known), len(known))


def _calibration(decided: Sequence[Decided]) -> list[tuple[float, Score]]:
    bins: dict[int, list[Decided]] = {}
    for each in decided:
        bins.setdefault(min(9, int(each.confidence * 10)), []).append(each)
    return [
        (sum(each.confidence for each in found) / len(found), _score([each.right for each in found]))
        for _, found in sorted(bins.items())
    ]


def kappa(first: Sequence[str], second: Sequence[str]) -> float:
    """Return Cohen's κ of two passes of labels."""
    n = len(first)
    agreed = sum(one == other for one, other in zip(first, second, strict=True)) / n
    ones, others = Counter(first), Counter(second)
    by_chance = sum(ones[label] * others[label] for label in ones) / (n * n)
    return (agreed - by_chance) / (1 - by_chance)
