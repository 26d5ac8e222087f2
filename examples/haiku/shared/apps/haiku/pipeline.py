"""Define the `haiku` pipeline; its state machine is statemachines/haiku.asl.yaml."""

from __future__ import annotations

from shared.apps.haiku.models import Haiku, HaikuInput
from shared.jobs.pipeline import Pipeline

PIPELINE = Pipeline(
    name="haiku",
    input_model=HaikuInput,
    result_model=Haiku,
    stages=("write_haiku",),
    run_seconds=3600,
)
"""From a topic to three lines."""
