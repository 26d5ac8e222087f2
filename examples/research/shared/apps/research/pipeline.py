"""Define the `research` pipeline; its state machine is statemachines/research.asl.yaml."""

from __future__ import annotations

from shared.apps.research.models import FindingNoted, ResearchInput, ResearchReport
from shared.jobs.pipeline import Pipeline

PIPELINE = Pipeline(
    name="research",
    input_model=ResearchInput,
    result_model=ResearchReport,
    stages=("choose_sources", "read_source", "write_report"),
    parts=frozenset({"read_source"}),
    stage_seconds={"choose_sources": 40},
    run_seconds=3600,
    events=(FindingNoted,),
)
"""From a question to an answer with its findings."""
