"""What a pipeline may say of itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fakes.core import PIPELINES

POEM = PIPELINES["poem"]


@pytest.mark.parametrize("field", ["run_seconds", "retention_seconds", "failed_retention_seconds"])
@pytest.mark.parametrize("seconds", [0, 86_401])
def test_no_job_runs_or_is_kept_longer_than_its_events(field: str, seconds: int) -> None:
    with pytest.raises(ValueError, match=f"poem: {field} must be from 1 to 86400"):
        replace(POEM, **{field: seconds})  # type: ignore[arg-type]


def test_retentions_may_be_left_to_the_settings() -> None:
    assert replace(POEM, retention_seconds=None, failed_retention_seconds=None).retention_seconds is None
