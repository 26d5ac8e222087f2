"""Helpers for jobs of the song pipeline, which keeps runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from shared.errors import ModelUnavailable
from shared.jobs.job import Job
from shared.runs.run import Lineage
from shared.stages.stage import StageContext
from tests.fakes.core import FakeCore, ScriptedStage, says

Script = Callable[[StageContext], Awaitable[dict[str, Any]]]


def sings(*lines: str, broken_by: Exception | None = None) -> Script:
    """Return a script that adds each line as an item; its output is all items' lines, those of earlier attempts too."""

    async def script(context: StageContext) -> dict[str, Any]:
        for line in lines:
            context.output.write(f"{line}\n")
            await context.add_item(f"line-{len(context.items) + 1}", {"line": line})
        if broken_by is not None:
            raise broken_by
        return {"lines": [item["line"] for item in context.items.values()]}

    return script


def compose(core: FakeCore, job: Job, *lines: str, generation: int = 1, retry: int = 0) -> None:
    core.run(ScriptedStage("compose", sings(*lines)), job, generation=generation, retry=retry)


def break_off(core: FakeCore, job: Job, *lines: str, generation: int = 1, retry: int = 0) -> None:
    """Run an attempt of the first stage that fails after these lines."""
    stage = ScriptedStage("compose", sings(*lines, broken_by=ModelUnavailable("down")))
    with pytest.raises(ModelUnavailable):
        core.run(stage, job, generation=generation, retry=retry)


def finish(core: FakeCore, job: Job, *lines: str, generation: int = 1) -> None:
    """Run the last stage and complete the job."""
    core.run(ScriptedStage("arrange", says("", lines=list(lines))), job, generation=generation)
    core.complete(job, generation=generation)


def lineage(core: FakeCore, job: Job) -> Lineage:
    found = core.runs.lineage(str(job.links.run_id))
    assert found is not None
    return found


def songs(core: FakeCore, job: Job) -> list[list[str]]:
    """Return the lines of each version of the song."""
    return [each.content["lines"] for each in lineage(core, job).artefacts if each.role == "song"]
