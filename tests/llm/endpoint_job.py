"""A job on the fakes whose model is a real adapter, run as its state machine runs it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from shared.apps.ideation.pipeline import PIPELINE as IDEATION
from shared.apps.ideation.stages import ArrangeIdeas, GenerateIdeas, PrepareIdeas
from shared.apps.suggestions.pipeline import PIPELINE as SUGGESTION
from shared.apps.suggestions.stages import GenerateSuggestions, ValidateSuggestions
from shared.errors import MillraceError, ModelNotReady, ModelRateLimited, TransientFault
from shared.jobs.job import Job
from shared.jobs.pipeline import Pipelines
from shared.llm.model import ChatModel
from shared.stages.stage import Stage
from tests.fakes.core import FakeCore

WITH_WAITS: Final = (ModelRateLimited, ModelNotReady)
"""The faults that the state machines retry eight times; the others, as often as the pipeline says."""

INPUTS: Final[dict[str, dict[str, Any]]] = {
    "suggestion": {"pageOrComponent": "Checkout", "featureType": "enhancement", "priorityLevel": "low"},
    "ideation": {
        "platform": "mobile game",
        "genrePaths": [["Fiction"], ["Sport"]],
        "genreProportions": [50, 50],
        "ideaCount": 2,
        "arrangement": "rank",
    },
}
CARD: Final = {
    "title": "Save “carts” 🌍",
    "rationale": "People leave.",
    "description": "A naïve café with {braces}, [lists] and an é.",
    "implementationConsiderations": ["Expiry", "Size"],
}


def an_idea(title: str) -> dict[str, Any]:
    return {"title": title, "logline": f"{title} in a line 🌍.", "description": "A naïve café, é."}


ANSWERS_OF: Final[dict[str, Any]] = {
    "suggestions": {"suggestions": [CARD, {**CARD, "title": "Another"}]},
    "ideas": {"g1": [an_idea("Night")], "g2": [an_idea("Relay")]},
    "ranking": {"ranking": [{"number": 2, "reason": "A naïve café 🌍"}, {"number": 1, "reason": "Fine, é"}]},
}


def answer_to(body: dict[str, Any]) -> str:
    """Return the right answer to a request."""
    system = str(body["messages"][0]["content"])
    kind = "suggestions" if "product engineer" in system else "ranking" if "editor" in system else "ideas"
    return json.dumps(ANSWERS_OF[kind], ensure_ascii=False)


@dataclass
class Ended:
    """How a job ended: "complete", or the name of its fault; and the fault's message."""

    outcome: str
    message: str = ""
    result: dict[str, Any] = field(default_factory=dict)
    job: Job | None = None


def run_job(pipeline: str, model: ChatModel, **changes: Any) -> Ended:
    """Run the job's stages one after the other, each as often as its state machine would.

    `changes` are fields of the job's input.
    """
    core = FakeCore(pipelines=Pipelines(SUGGESTION, IDEATION))
    job = core.new_job(pipeline=pipeline, input={**INPUTS[pipeline], **changes}, model="fake-1")
    stages: dict[str, tuple[Stage, ...]] = {
        "suggestion": (GenerateSuggestions(model), ValidateSuggestions(model)),
        "ideation": (PrepareIdeas(), GenerateIdeas(model), ArrangeIdeas(model)),
    }
    for stage in stages[pipeline]:
        fault = _run_stage(core, stage, job)
        if fault is not None:
            return Ended(type(fault).__name__, fault.message, job=core.job(job.id))
    ref = core.job(job.id).checkpoints[stages[pipeline][-1].name]
    output = core.checkpoints.get(job.id, stages[pipeline][-1].name, ref).output
    return Ended("complete", result=output, job=core.job(job.id))


def _run_stage(core: FakeCore, stage: Stage, job: Job) -> MillraceError | None:
    retries: Counter[bool] = Counter()
    most = {True: 8, False: core.pipelines[job.pipeline].max_retries}
    while True:
        try:
            core.run(stage, job, retry=retries.total())
        except TransientFault as fault:
            waits = isinstance(fault, WITH_WAITS)
            if retries[waits] == most[waits]:
                return fault
            retries[waits] += 1
        except MillraceError as fault:
            return fault
        else:
            return None
