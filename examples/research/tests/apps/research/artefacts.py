"""For each event of the research pipeline: the data it needs and the expected response."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from shared.apps.research.pipeline import PIPELINE
from tests.api_user import AT_ONCE
from tests.contract.answers import JOB, Answers, Check, Invoker, Place, ask, data, names, nothing, shows
from tests.contract.build_output import event

NOTEBOOK = "nbk_01jd8x2v5n7k3q9w4t6y8z0abc"
PART = "flood_diary"
EXTRA: dict[str, dict[str, Any]] = {"choose_sources": {"parts": [PART]}, "read_source": {"part": PART}}
"""What a stage's response has besides the stage."""


def a_job(invoker: Invoker) -> Place:
    """Create a job that reads one source."""
    request = event("create_job.valid")
    request["headers"]["idempotency-key"] = str(uuid.uuid4())
    job_input = {"question": f"Which floods came in March, after rain on snow? [[script: {AT_ONCE}]]", "sourceCount": 1}
    request["body"] = json.dumps({"pipeline": PIPELINE.name, "input": job_input})
    return {JOB: data(invoker.invoke("create_job", request), 202)["jobId"]}


def a_job_before(stage: str) -> Callable[[Invoker], Place]:
    """Create a job that has finished the stages before this one."""

    def prepare(invoker: Invoker) -> Place:
        place = a_job(invoker)
        for earlier in PIPELINE.stages[: PIPELINE.stages.index(stage)]:
            done(earlier)(ask(invoker, f"{earlier}.first_attempt", place), place)
        return place

    return prepare


def done(stage: str) -> Check:
    def check(answer: Any, place: Place) -> None:
        assert answer == {"jobId": place[JOB], "stage": stage, "status": "done", **EXTRA.get(stage, {})}

    return check


def a_notebook(invoker: Invoker) -> Place:
    return {NOTEBOOK: str(data(ask(invoker, "create_notebook.valid"), 201)["notebookId"])}


ANSWERS: Answers = {
    "create_notebook.valid": (nothing, names("notebookId", 201)),
    "get_notebook.valid": (a_notebook, shows("notebookId", NOTEBOOK)),
} | {
    f"{stage}.{case}": (a_job_before(stage), done(stage))
    for stage in PIPELINE.stages
    for case in ("first_attempt", "retry")
}
