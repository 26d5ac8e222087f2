"""The built functions of the suggestions application, from the creation of a job to its result."""

from __future__ import annotations

from tests.contract.answers import a_job_after, ask, data
from tests.contract.emulator import Emulator


def test_the_built_functions_run_a_job_from_creation_to_its_result(emulator: Emulator) -> None:
    place = a_job_after("generate_suggestions", "validate_suggestions", "complete_job")(emulator)

    job = data(ask(emulator, "get_job.valid", place))

    assert job["status"] == "completed"
    assert job["result"]["suggestions"]
