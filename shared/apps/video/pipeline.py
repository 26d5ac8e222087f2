"""Define the pipelines of video chat; their state machines are statemachines/{video_chat,render}.asl.yaml."""

from __future__ import annotations

from shared.apps.video.events import ComponentStage, SceneStatus
from shared.apps.video.models import VideoChatInput, VideoChatResult
from shared.apps.video.rendering.events import ChunkRendered, FontsNeeded, RenderQueued
from shared.apps.video.rendering.render import RenderInput, RenderResult
from shared.apps.video.rendering.turns import RUN_SECONDS
from shared.jobs.pipeline import Pipeline

VIDEO_CHAT = Pipeline(
    name="video_chat",
    input_model=VideoChatInput,
    result_model=VideoChatResult,
    stages=("decide_tool", "brief_scenes", "make_scenes", "save_scenes"),
    run_seconds=1800,
    stage_seconds={"decide_tool": 130, "brief_scenes": 310, "make_scenes": 610, "save_scenes": 40},
    events=(ComponentStage, SceneStatus),
    title=lambda asked: str(asked.text),
)
"""From a message in a project's chat to its answer, and the revision that it makes."""

RENDER = Pipeline(
    name="render",
    input_model=RenderInput,
    result_model=RenderResult,
    stages=("await_turn", "plan_render", "render_chunk", "join_chunks"),
    run_seconds=RUN_SECONDS,
    stage_seconds={"await_turn": 910, "plan_render": 40, "render_chunk": 610, "join_chunks": 310},
    failed_retention_seconds=6 * 3600,
    events=(RenderQueued, FontsNeeded, ChunkRendered),
    parts=frozenset({"render_chunk"}),
    repeats_first_stage=True,
    title=lambda asked: f"{asked.quality} quality" + (f", revision {asked.revision}" if asked.revision else ""),
)
"""From a revision of a project to an MP4 file. A failed one can be resumed for six hours, as its chunks are kept."""
