"""Define the `ideation` pipeline; its state machine is statemachines/ideation.asl.yaml."""

from __future__ import annotations

from shared.apps.ideation.models import Ideation, IdeationInput
from shared.apps.ideation.recording import RECORDING, title_of_input
from shared.jobs.pipeline import Pipeline

PIPELINE = Pipeline(
    name="ideation",
    input_model=IdeationInput,
    result_model=Ideation,
    stages=("prepare_ideas", "generate_ideas", "arrange_ideas"),
    run_seconds=3600,
    stage_seconds={"prepare_ideas": 40, "generate_ideas": 610},
    max_retries=2,
    recording=RECORDING,
    title=title_of_input,
)
"""From genres and their proportions to ideas, ranked or grouped on request."""
