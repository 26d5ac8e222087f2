"""The limits of a pipeline's settings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fakes.core import PIPELINES

POEM = PIPELINES["poem"]


@pytest.mark.parametrize("field", ["run_seconds", "retention_seconds", "failed_retention_seconds"])
@pytest.mark.parametrize("seconds", [0, 86_401])
def test_a_pipeline_refuses_a_duration_outside_one_second_to_one_day(field: str, seconds: int) -> None:
    with pytest.raises(ValueError, match=f"poem: {field} must be from 1 to 86400"):
        replace(POEM, **{field: seconds})  # type: ignore[arg-type]


def test_a_pipeline_may_leave_retentions_to_the_settings() -> None:
    assert replace(POEM, retention_seconds=None, failed_retention_seconds=None).retention_seconds is None


def test_a_first_stage_that_names_parts_cannot_be_repeated() -> None:
    with pytest.raises(ValueError, match="anthology: choose_poems names the parts of a fan-out"):
        replace(PIPELINES["anthology"], repeats_first_stage=True)
