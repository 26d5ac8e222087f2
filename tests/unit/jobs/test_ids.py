"""Job ids and execution names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.jobs.executions import execution_name
from shared.jobs.ids import JOB_ID, new_job_id
from tests.fakes.core import a_job

MOMENTS = st.integers(0, 2**48 - 1)


@given(MOMENTS, MOMENTS)
def test_ids_sort_by_their_time_of_creation(one: int, other: int) -> None:
    if one != other:
        assert (new_job_id(one) < new_job_id(other)) == (one < other)


@given(MOMENTS)
def test_a_new_id_matches_the_pattern_of_job_ids(moment: int) -> None:
    assert JOB_ID.fullmatch(new_job_id(moment))


def test_ids_from_the_same_millisecond_differ() -> None:
    assert len({new_job_id(0) for _ in range(1000)}) == 1000


def test_each_execution_of_a_job_has_a_name_that_step_functions_accepts() -> None:
    job = a_job()
    again = job.model_copy(update={"generation": 2})
    assert execution_name(job) == job.id
    assert execution_name(again) == f"{job.id}-2"
    assert len(execution_name(again)) <= 80
