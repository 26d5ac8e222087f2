"""The runtime of scenes computes what its documentation says; it runs in Deno, as in a build."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from shared.apps.video.build.deno import NO_PERMISSIONS, RUNTIME, Limits, run_deno
from tests.apps.video.compiler_lane import require_compiler
from tests.patience import PATIENCE

require_compiler()
CHECKS = Path(__file__).parent / "runtime_checks.js"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("runtime")
    for file in RUNTIME.glob("*.js*"):
        shutil.copy(file, folder)
    shutil.copytree(RUNTIME / "vendor", folder / "vendor")
    shutil.copy(CHECKS, folder)
    options = [*NO_PERMISSIONS, "--no-config", "--import-map", str(folder / "imports.json")]
    script = str(folder / CHECKS.name)
    ended = asyncio.run(run_deno(["run", *options, script], Limits(20, PATIENCE, 700_000_000), folder=folder))
    assert ended.status == 0, ended.errors
    found: dict[str, Any] = json.loads(ended.output)
    return found


def test_interpolate(results: dict[str, Any]) -> None:
    found = results["interpolate"]

    assert found["middle"] == 50
    assert found["segments"] == [0, 100, 50, 0, -100]
    assert found["extend"] == 4
    assert found["clamp"] == [1, 3]
    assert found["identity"] == 40
    assert found["wrap"] == 5
    assert found["eased"] == 0.25
    assert found["refused"] == [
        "TypeError: interpolate: the input must be a number, and it is undefined",
        "TypeError: interpolate: inputRange has 2 entries, but outputRange has 1",
        "TypeError: interpolate: each entry of inputRange must be larger than the one before, and it is [0,0]",
        "TypeError: interpolate: the ranges need at least two entries",
        "TypeError: interpolate: outputRange must have numbers only, and it is [a,b]",
        "TypeError: interpolate: an extrapolation is one of extend, clamp, identity, wrap, not clip",
    ]


def test_every_easing_goes_from_0_to_1_and_exp_nearly(results: dict[str, Any]) -> None:
    found = results["easing"]

    assert {name: (start, end) for name, (start, _, end) in found.items() if (start, end) != (0, 1)} == {
        "exp": (0.000977, 1),
        "out": (0, 0.999023),
    }
    assert found["linear"][1] == 0.5
    assert found["quad"][1] == 0.25
    assert found["cubic"][1] == 0.125
    assert found["poly"][1] == 0.0625
    assert found["inOut"][1] == 0.5
    assert found["bezier"][1] == pytest.approx(0.802403, abs=1e-4)  # CSS's `ease` at its middle


def test_spring(results: dict[str, Any]) -> None:
    """The values are those of a damped oscillator, computed by hand from its closed form."""
    found = results["spring"]

    assert found["start"] == 0
    assert found["under"] == pytest.approx(1.15528, abs=1e-4)
    assert found["critical"] == pytest.approx(0.845413, abs=1e-6)  # 1 - e^(-10/3) * (1 + 10/3)
    assert 0 < found["over"] < 0.2
    assert found["end"] == 1
    assert found["range"] == 50
    assert found["delayed"] == 0
    assert found["clamped"] == 1
    assert found["stretched"] is True
    assert found["reversed"] == [0, True]
    assert found["rate"] is True
    assert 25 <= found["measured"] <= 40
    assert found["refused"] == [
        "TypeError: spring: fps must be a positive number, and it is undefined",
        "TypeError: spring: mass must be a positive number, and it is 0",
    ]


def test_colors(results: dict[str, Any]) -> None:
    assert results["colors"] == {
        "middle": "rgba(128, 128, 128, 1)",
        "outside": "rgba(0, 0, 255, 1)",
        "alpha": "rgba(0, 0, 0, 0.5)",
        "hsl": "rgba(0, 255, 0, 1)",
        "refused": 'TypeError: interpolateColors: the color "#12345" is not known; write it as #rrggbb or '
        "rgba(r, g, b, a)",
    }


def test_random_numbers_depend_on_the_seed_only(results: dict[str, Any]) -> None:
    same, others, within, refused = results["random"]

    assert (same, others, within) == (True, False, True)
    assert refused.startswith("TypeError: random: the seed must be")


def test_elements_of_time(results: dict[str, Any]) -> None:
    assert results["sequence"] == ["", "0/5", "4/5", ""]
    assert results["sequenceIsCut"] == ["0/10", "9/10"]
    assert results["series"] == ["0/10", "9/10", "", "0/20", "19/20", ""]
    assert results["loop"] == ["0/10", "9/10", "0/10", "9/10", ""]
    assert results["freeze"] == ["7/90", "7/90"]
    assert results["rate"] == ["<i>20/180</i>", "<i>5/45</i>"]


def test_elements_that_are_used_wrongly_say_so(results: dict[str, Any]) -> None:
    assert results["refused"] == [
        "TypeError: Sequence: from must be a number of frames from -Infinity, and it is now",
        "TypeError: Series: its children must be elements Series.Sequence",
        "TypeError: Loop: durationInFrames must be a number of frames from 1, and it is undefined",
        'TypeError: Img: the project has no image "img_x"',
        'TypeError: Img: it shows images of the project only: write image="img_…" instead of src',
        'TypeError: component: the project has no component "Chart"',
    ]


def test_what_is_drawn(results: dict[str, Any]) -> None:
    assert results["image"] == ['<img alt width="5" src="data:,a"/>', '<div style="width:5px;"></div>']
    assert results["component"] == "<u>new</u>"
    assert 'style="position:absolute;top:4px;' in results["fill"]
    assert "opacity:0.5;" in results["fill"]
    styled = '<b style="scale:1.5;aspect-ratio:2;columns:3;width:5px;line-height:1.2;z-index:4;"></b>'
    assert results["style"] == [styled, 1.5]
    assert results["svg"] == '<svg><path stroke-width="3" stroke-linecap="round" class="line"></path></svg>'


def test_a_film_plays_its_scenes_in_order(results: dict[str, Any]) -> None:
    assert results["film"] == [["a", 0], ["a", 9], ["b", 0], ["b", 4], None]


def test_a_version_is_shown_until_its_successor_is_loaded(results: dict[str, Any]) -> None:
    assert results["versions"] == ["old", "old", "new", None]


def test_clocks_and_random_numbers_are_the_same_in_every_drawing(results: dict[str, Any]) -> None:
    assert results["frozen"] == [True, 5, True]
