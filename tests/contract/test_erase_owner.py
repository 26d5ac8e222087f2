"""The state machine of erasures reads what its function returns, and waits as long as that says."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from shared.erasure.eraser import EraserStep
from tests.layout import ROOT


@pytest.fixture
def states() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "statemachines/erase_owner.asl.yaml").read_text())["States"]
    return found


def test_the_state_machine_reads_the_fields_that_a_step_returns(states: dict[str, Any]) -> None:
    returned = EraserStep(done=False).model_dump()
    assert states["EraseOwnerData"]["ResultSelector"] == {f"{name}.$": f"$.Payload.{name}" for name in returned}
    assert {states["IsErased"]["Choices"][0]["Variable"], states["WaitForWriters"]["SecondsPath"]} == {
        f"$.step.{name}" for name in returned
    }


def test_a_fault_that_passes_is_retried_for_half_an_hour_and_then_told(states: dict[str, Any]) -> None:
    (rule,) = states["EraseOwnerData"]["Retry"]
    waits = [
        min(rule["IntervalSeconds"] * rule["BackoffRate"] ** retry, rule["MaxDelaySeconds"])
        for retry in range(rule["MaxAttempts"])
    ]
    assert 1500 < sum(waits) < 3000
    assert [each["Next"] for each in states["EraseOwnerData"]["Catch"]] == ["RecordErasureFailure"]
