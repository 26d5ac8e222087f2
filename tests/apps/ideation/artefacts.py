"""For each event of the ideation application: the data it needs and the expected response."""

from __future__ import annotations

from collections.abc import Callable

from tests.contract.answers import (
    JOB,
    Answers,
    Invoker,
    Place,
    after,
    create,
    done,
    lists,
    names,
    nothing,
    shows,
)

RUN = "run_01jd8x2v5n7k3q9w4t6y8z0abc"
"""The run that the events name."""


def a_run(invoker: Invoker) -> Place:
    """Create a run with its job."""
    created = create(invoker, "create_ideation.valid")
    return {RUN: created["runId"], JOB: created["jobId"]}


def a_run_after(*stages: str) -> Callable[[Invoker], Place]:
    """Create a run whose job has finished these stages."""
    return lambda invoker: after(invoker, a_run(invoker), stages)


ANSWERS: Answers = {
    "create_ideation.valid": (nothing, names("runId", 202)),
    "list_ideations.valid": (a_run, lists("runs", "runId", RUN)),
    "get_ideation.valid": (a_run, shows("runId", RUN)),
    "get_ideation_job.valid": (a_run, names("job")),
    "get_ideation_lineage.valid": (a_run, names("artefacts")),
    "delete_ideation.valid": (a_run, shows("runId", RUN)),
    "prepare_ideas.first_attempt": (a_run, done("prepare_ideas")),
    "prepare_ideas.retry": (a_run, done("prepare_ideas")),
    "generate_ideas.first_attempt": (a_run_after("prepare_ideas"), done("generate_ideas")),
    "generate_ideas.retry": (a_run_after("prepare_ideas"), done("generate_ideas")),
    "arrange_ideas.first_attempt": (a_run_after("prepare_ideas", "generate_ideas"), done("arrange_ideas")),
    "arrange_ideas.retry": (a_run_after("prepare_ideas", "generate_ideas"), done("arrange_ideas")),
}
