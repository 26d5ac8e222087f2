"""Job ids and execution names."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.jobs.executions import execution_name
from shared.jobs.ids import JOB_ID, new_job_id, ulid_of
from shared.runs.recorder import transform_id_of
from shared.runtime.settings import CreationSettings
from shared.ulid import new_ulid
from tests.fakes.core import FakeCore, FakePorts, a_job

MOMENTS = st.integers(0, 2**48 - 1)
CELLS = st.sampled_from(string.ascii_lowercase)


@given(MOMENTS, MOMENTS, CELLS)
def test_ids_of_one_cell_sort_by_their_time_of_creation(one: int, other: int, cell: str) -> None:
    if one != other:
        assert (new_job_id(one, cell) < new_job_id(other, cell)) == (one < other)


@given(MOMENTS, MOMENTS, CELLS)
def test_jobs_with_and_without_cells_sort_by_their_ulids(one: int, other: int, cell: str) -> None:
    without_cell = f"job_{new_ulid(one)}"
    if one != other:
        assert (ulid_of(without_cell) < ulid_of(new_job_id(other, cell))) == (one < other)


@given(MOMENTS, CELLS)
def test_a_new_id_matches_the_pattern_of_job_ids(moment: int, cell: str) -> None:
    assert JOB_ID.fullmatch(new_job_id(moment, cell))


@pytest.mark.parametrize(
    ("job_id", "valid"),
    [
        ("job_01jd8x2v5n7k3q9w4t6y8z0abc", True),
        ("job_a01jd8x2v5n7k3q9w4t6y8z0abc", True),
        ("job_o01jd8x2v5n7k3q9w4t6y8z0abc", True),
        ("job_A01jd8x2v5n7k3q9w4t6y8z0abc", False),
        ("job_001jd8x2v5n7k3q9w4t6y8z0abc", False),
        ("job_ab01jd8x2v5n7k3q9w4t6y8z0abc", False),
        ("job_1jd8x2v5n7k3q9w4t6y8z0abc", False),
        ("job_01jd8x2v5n7k3q9w4t6y8z0ab\n", False),
    ],
)
def test_ids_with_and_without_a_cell_are_valid(job_id: str, valid: bool) -> None:
    assert bool(JOB_ID.fullmatch(job_id)) == valid


def test_new_jobs_have_the_cell_of_the_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakePorts, "cell", "k")
    job = FakeCore().new_song()
    assert job.id.startswith("job_k")
    assert transform_id_of(job) == f"tfm_{job.id.removeprefix('job_k')}"


@pytest.mark.parametrize("cell", ["A", "ab", "1"])
def test_a_cell_that_is_not_one_letter_is_refused(monkeypatch: pytest.MonkeyPatch, cell: str) -> None:
    monkeypatch.setenv("CELL", cell)
    with pytest.raises(ValidationError, match="cell"):
        CreationSettings.read()


def test_ids_from_the_same_millisecond_differ() -> None:
    assert len({new_job_id(0) for _ in range(1000)}) == 1000


def test_each_execution_of_a_job_has_a_name_that_step_functions_accepts() -> None:
    job = a_job()
    again = job.model_copy(update={"generation": 2})
    assert execution_name(job) == job.id
    assert execution_name(again) == f"{job.id}-2"
    assert len(execution_name(again)) <= 80
