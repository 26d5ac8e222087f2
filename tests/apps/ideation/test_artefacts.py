"""The built functions of the ideation application, from the creation of a job to its result."""

from __future__ import annotations

import pytest

from tests.apps.ideation.artefacts import RUN, a_run
from tests.contract.answers import JOB, after, ask, create, data, done
from tests.contract.emulator import Emulator


@pytest.mark.parametrize("arrangement", ["none", "rank", "group"])
def test_the_built_functions_complete_a_run(emulator: Emulator, arrangement: str) -> None:
    created = create(emulator, "create_ideation.valid", arrangement=arrangement)
    place = {RUN: created["runId"], JOB: created["jobId"]}
    after(emulator, place, ("prepare_ideas", "generate_ideas", "arrange_ideas", "complete_job"))

    run = data(ask(emulator, "get_ideation.valid", place))

    assert run["status"] == "completed"
    assert len(run["ideas"]) == 3


def test_a_run_gets_the_status_of_its_failed_or_cancelled_job(emulator: Emulator) -> None:
    failed, cancelled = a_run(emulator), a_run(emulator)

    done("record_failure")(ask(emulator, "record_failure.stage_timeout", failed), failed)
    data(ask(emulator, "cancel_job.valid", cancelled))

    assert data(ask(emulator, "get_ideation.valid", failed))["status"] == "failed"
    assert data(ask(emulator, "get_ideation.valid", cancelled))["status"] == "cancelled"
    assert data(ask(emulator, "resume_job.valid", failed), 202)["jobId"] == failed[JOB]
