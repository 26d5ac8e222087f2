"""Define the pipeline of video chat; its state machine is statemachines/video_chat.asl.yaml."""

from __future__ import annotations

from shared.apps.video.events import ComponentStage, SceneStatus
from shared.apps.video.models import VideoChatInput, VideoChatResult
from shared.jobs.pipeline import Pipeline

VIDEO_CHAT = Pipeline(
    name="video_chat",
    input_model=VideoChatInput,
    result_model=VideoChatResult,
    stages=("decide_tool", "brief_scenes", "make_scenes", "save_scenes"),
    run_seconds=1800,
    stage_seconds={"decide_tool": 130, "brief_scenes": 310, "make_scenes": 610, "save_scenes": 40},
    events=(ComponentStage, SceneStatus),
)
"""From a message in a project's chat to its answer, and the revision that it makes."""
