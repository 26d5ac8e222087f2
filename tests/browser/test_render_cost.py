"""`make cost` counts a render alone, without the chat that fills its project."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.apps.video.rendering import programs
from tools.cost.agreement import TOLERANCE, differences
from tools.cost.measuring import Measurement, Pace

pytestmark = pytest.mark.skipif(bool(programs.missing()), reason="renders need Chromium and PyAV: make render")


def test_a_render_is_counted_without_the_jobs_that_prepare_it(tmp_path: Path) -> None:
    with Measurement(tmp_path, pace=Pace(0, 0), together=1) as measurement:
        measurement._warm.add("render")  # another render would take as long again, and counts are not times
        counted = measurement.of_jobs("render", 1)
        of_render, [rendered] = differences(counted, measurement.own), measurement.own
        suggestion = measurement.of_jobs("suggestion", 2)
        of_suggestions = differences(suggestion, measurement.own)
    # Times are compared by `make cost`, where jobs last as long as a model's: here a busy machine decides them.
    for found in (of_render, of_suggestions):
        assert found["transitions"] == 0
        assert abs(found["write units"]) <= TOLERANCE
    assert rendered.stored_objects == counted.objects
    assert {name: each.times for name, each in counted.functions.items()} == {
        "create_render": 1,
        "await_turn": 1,
        "plan_render": 1,
        "render_chunk": 3,
        "join_chunks": 1,
        "complete_job": 1,
        "stream_job": 1,
    }
    assert counted.transitions == 8  # the Map itself is one
    assert counted.routes == ("POST /projects/{projectId}/renders",)
    assert (counted.input_tokens, counted.output_tokens) == (0, 0)
    assert counted.objects == 4  # the files of the chunks, and that of the video
    assert counted.tables["DurableTable"].kept_bytes < 3000  # the render, and none of the scenes
