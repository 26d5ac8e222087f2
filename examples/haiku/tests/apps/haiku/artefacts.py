"""For each event of the haiku pipeline: the data it needs and the expected response."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

from shared.apps.haiku.pipeline import PIPELINE
from tests.api_user import AT_ONCE
from tests.contract.answers import JOB, Answers, Invoker, Place, after, data, done
from tests.contract.build_output import event


def a_job(invoker: Invoker) -> Place:
    """Create a job of the pipeline."""
    request = event("create_job.valid")
    request["headers"]["idempotency-key"] = str(uuid.uuid4())
    request["body"] = json.dumps({"pipeline": PIPELINE.name, "input": {"topic": f"rivers [[script: {AT_ONCE}]]"}})
    return {JOB: data(invoker.invoke("create_job", request), 202)["jobId"]}


def a_job_before(stage: str) -> Callable[[Invoker], Place]:
    """Create a job that has finished the stages before this one."""
    earlier = PIPELINE.stages[: PIPELINE.stages.index(stage)]
    return lambda invoker: after(invoker, a_job(invoker), earlier)


ANSWERS: Answers = {
    f"{stage}.{case}": (a_job_before(stage), done(stage))
    for stage in PIPELINE.stages
    for case in ("first_attempt", "retry")
}
