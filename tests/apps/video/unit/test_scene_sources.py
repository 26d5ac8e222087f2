"""The parts of a build that need no compiler: limits, places, frames, names of the API, and files of the runtime."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
import re
from typing import Any

import pytest

from shared.apps.video.build import toolchain, vocabulary
from shared.apps.video.build.checks import Checks, runtime_version
from shared.apps.video.build.deno import RUNTIME
from shared.apps.video.build.loops import Loop, counted, loop_of
from shared.apps.video.build.report import BuildRequest
from shared.apps.video.build.source import MAX_LINES, Place, Source, limit_errors
from shared.apps.video.build.test_render import MOST_FRAMES, frames_to_play
from shared.apps.video.scene import FORMATS, MAX_CODE_BYTES, MAX_FRAMES
from shared.errors import CompilerMissing


class TestLimits:
    @pytest.mark.parametrize(
        ("code", "rule", "line", "column"),
        [
            ("", "empty", None, None),
            (" \n\t", "empty", None, None),
            ("x" * (MAX_CODE_BYTES + 1), "too-large", None, None),
            ("é" * (MAX_CODE_BYTES // 2) + "x", "too-large", None, None),
            ("\n" * MAX_LINES, "too-many-lines", None, None),
            ("a\nb\0c", "not-text", 2, 2),
            ("a\n  \ud83d", "not-text", 2, 3),
        ],
    )
    def test_a_source_over_a_limit_is_refused(self, code: str, rule: str, line: int | None, column: int | None) -> None:
        [error] = limit_errors(Source(code))

        assert (error.kind, error.rule, error.line, error.column) == ("limit", rule, line, column)

    @pytest.mark.parametrize("code", ["x" * MAX_CODE_BYTES, "x" + "\n" * (MAX_LINES - 1)])
    def test_a_source_at_a_limit_is_not(self, code: str) -> None:
        assert limit_errors(Source(code)) == []

    def test_the_builder_looks_no_further(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

        report = asyncio.run(Checks().build(request("")))

        assert [error.rule for error in report.errors] == ["empty"]


class TestPlaces:
    LINE = "\ta😀é = 1;"

    def test_columns_in_bytes(self) -> None:
        assert Source(f"x\n{self.LINE}").place_of_bytes(1, len("\ta😀é ".encode())) == Place(2, 6)

    def test_columns_in_utf16(self) -> None:
        assert Source(f"x\n{self.LINE}").place_of_utf16(2, 7) == Place(2, 6)

    def test_columns_of_which_a_tab_has_two(self) -> None:
        assert Source(f"x\n{self.LINE}").place_of_columns(2, 7) == Place(2, 6)

    def test_a_place_behind_the_end_is_the_end(self) -> None:
        assert Source("ab").place_of_columns(1, 9) == Place(1, 3)
        assert Source("ab").line(7) == ""

    def test_a_byte_order_mark_does_not_count(self) -> None:
        assert Source("\ufeffab").text == "ab"

    def test_an_excerpt_is_the_line_and_not_too_long(self) -> None:
        error = Source("  " + "x" * 500 + "\r\n").error("lint", "r", "m", Place(1, 1))

        assert error.excerpt == "x" * 160


class TestFrames:
    def test_all_frames_of_a_short_scene_are_played(self) -> None:
        assert frames_to_play(3) == [0, 1, 2]
        assert frames_to_play(MOST_FRAMES) == list(range(MOST_FRAMES))

    @pytest.mark.parametrize("duration", [MOST_FRAMES + 1, 1000, MAX_FRAMES])
    def test_of_a_long_one_evenly_spaced_ones_with_the_last(self, duration: int) -> None:
        frames = frames_to_play(duration)

        assert len(set(frames)) == MOST_FRAMES
        assert (frames[0], frames[-1]) == (0, duration - 1)


class TestLoops:
    def test_a_copy_counts_the_turns_of_loops_with_and_without_braces(self) -> None:
        code = "while (a) b();\nfor (;;) { c(); }\n"
        loops = [Loop(Place(1, 1), 10, 14, False), Loop(Place(2, 1), 24, 32, True)]

        lines = counted(code, loops).splitlines()

        assert lines[0].endswith("while (a) { __turn(0); b(); }")
        assert lines[1] == "for (;;) { __turn(1); c(); }"

    def test_nested_loops_without_braces_stay_nested(self) -> None:
        code = "while (a) while (b) c();"
        loops = [Loop(Place(1, 1), 10, 24, False), Loop(Place(1, 11), 20, 24, False)]

        assert counted(code, loops).endswith("while (a) { __turn(0); while (b) { __turn(1); c(); } }")

    def test_the_error_of_a_copy_names_the_loop(self) -> None:
        loops = [Loop(Place(1, 1), 0, 0, False), Loop(Place(9, 4), 0, 0, False)]

        assert loop_of("frame 3: RangeError: endless loop 1", loops) == Place(9, 4)
        assert loop_of("frame 3: RangeError: another", loops) is None


class TestMissingPackages:
    def test_the_error_names_them_and_the_command(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

        with pytest.raises(CompilerMissing, match=r"deno, tree-sitter, tree-sitter-typescript; run `make video`"):
            asyncio.run(Checks().build(request("export default () => 1;")))
        assert not toolchain.is_installed()


def request(code: str) -> BuildRequest:
    return BuildRequest(code, 30, FORMATS["landscape"], {})


def exports(file: str) -> set[str]:
    """Return the names that a file of the runtime exports."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", (RUNTIME / file).read_text(), flags=re.DOTALL)
    names = set(re.findall(r"export (?:const|function|class) (\w+)", text))
    for listed in re.findall(r"export \{([^}]*)\}", text):
        names |= {name.strip() for name in listed.split(",") if name.strip()}
    return names | ({"default"} if "export default" in text else set())


def declared(file: str) -> set[str]:
    return set(
        re.findall(r"^export (?:const|function|type|namespace) (\w+)", (RUNTIME / file).read_text(), re.MULTILINE)
    )


class TestRuntimeFiles:
    def test_the_rules_allow_what_the_runtime_exports(self) -> None:
        assert exports("scene.js") == vocabulary.SCENE_NAMES
        assert exports("react.js") == vocabulary.REACT_NAMES

    def test_the_types_have_what_the_runtime_exports(self) -> None:
        assert declared("types/scene.d.ts") == vocabulary.SCENE_NAMES
        assert declared("types/react.d.ts") == (vocabulary.REACT_NAMES | vocabulary.TYPE_NAMES) - {"default"}

    def test_the_page_and_the_test_render_import_the_same(self) -> None:
        found = re.search(r'<script type="importmap">(.*?)</script>', (RUNTIME / "stage.html").read_text())
        assert found
        page: dict[str, Any] = json.loads(found[1])
        render: dict[str, Any] = json.loads((RUNTIME / "imports.json").read_text())

        assert page["imports"].items() <= render["imports"].items()
        assert set(render["imports"]) - set(page["imports"]) == {"preact-render-to-string"}
        for file in render["imports"].values():
            assert (RUNTIME / file).is_file()

    def test_what_others_wrote_is_unchanged(self) -> None:
        lines = (line.split("  ") for line in (RUNTIME / "SHA256SUMS").read_text().splitlines())
        sums = {name: digest for digest, name in lines}
        files = {
            file.relative_to(RUNTIME).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
            for folder in ("vendor", "fonts")
            for file in (RUNTIME / folder).iterdir()
        }

        assert sums == files
        assert {"vendor/LICENSE-preact.txt", "vendor/LICENSE-preact-render-to-string.txt", "fonts/LICENSE.txt"} <= set(
            files
        )

    def test_the_version_names_the_api(self) -> None:
        assert re.fullmatch(r"1-[0-9a-f]{12}", runtime_version())
