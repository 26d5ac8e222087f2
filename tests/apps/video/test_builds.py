"""Scenes of the corpus are built or refused, each refusal with its exact place; and what a build depends on."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.apps.video.build.checks import Checks
from shared.apps.video.build.compiler import Compiled
from shared.apps.video.build.deno import NO_FETCHES, run_deno
from shared.apps.video.build.deno_compiler import DenoCompiler
from shared.apps.video.build.report import MOST_ERRORS, BuildError
from shared.apps.video.build.source import Source
from shared.apps.video.build.type_check import LIMITS, type_errors
from tests.apps.video.compiler_lane import CORPUS, IMAGES, build, expected, found, require_compiler, scene
from tests.layout import ROOT
from tests.patience import PATIENCE

GOOD = sorted((CORPUS / "good").glob("*.tsx"))
BROKEN = sorted((CORPUS / "broken").glob("*.tsx"))


require_compiler()


async def no_names(_source: Source, _folder: Path) -> list[BuildError]:
    """Leave the type check out, which takes ten times as long as the rest of a build."""
    return []


QUICK = Checks(names=no_names)


class TestCorpus:
    def test_there_are_forty_scenes(self) -> None:
        assert len(GOOD) >= 20
        assert len(BROKEN) >= 20

    @pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
    def test_a_good_scene_is_built(self, file: Path) -> None:
        report = build(file.read_text())

        assert report.errors == ()
        assert report.build is not None
        assert "export" in report.build.js_code
        assert "sourceMappingURL" not in report.build.js_code

    @pytest.mark.parametrize("file", BROKEN, ids=lambda file: file.stem)
    def test_a_broken_scene_is_refused_at_its_place(self, file: Path) -> None:
        code = file.read_text()
        names_are_wrong = any(fault.kind == "name" for fault in expected(code))

        report = build(code, checks=Checks() if names_are_wrong else QUICK)

        assert found(report) == expected(code)
        assert report.build is None

    def test_the_example_of_the_documentation_is_built(self) -> None:
        [example] = re.findall(r"```tsx\n(.*?)```", (ROOT / "docs/video.md").read_text(), re.DOTALL)

        report = build(example)

        assert (report.errors, report.warnings) == ((), ())

    def test_the_type_check_finds_nothing_in_good_scenes(self, tmp_path: Path) -> None:
        async def check() -> str:
            for file in GOOD:
                await DenoCompiler().compile(Source(file.read_text()), tmp_path)
                (tmp_path / "scene.tsx").rename(tmp_path / file.name)
            options = [*NO_FETCHES, "--quiet", "--config", str(tmp_path / "deno.json")]
            files = [str(tmp_path / file.name) for file in GOOD]
            ended = await run_deno(["check", *options, *files], replace(LIMITS, seconds=PATIENCE), folder=tmp_path)
            assert ended.status == 0, ended
            return ended.errors

        assert asyncio.run(check()) == ""


class TestPlaces:
    @pytest.mark.parametrize("name", ["late_failure", "network", "unclosed_element"])
    def test_lines_that_end_as_on_windows_have_the_same_places(self, name: str) -> None:
        code = (CORPUS / "broken" / f"{name}.tsx").read_text()

        assert found(build(code.replace("\n", "\r\n"), checks=QUICK)) == expected(code)

    def test_columns_count_characters(self) -> None:
        code = scene('  const a = "😀é日本"; return missing;', before="// 😀")

        [error] = build(code).errors

        assert (error.line, error.column) == (5, 28)
        assert error.excerpt == 'const a = "😀é日本"; return missing;'

    def test_an_indentation_by_tabs_counts_one_column_for_each(self) -> None:
        lint, syntax = (build(scene(f"\t\t{line}"), checks=QUICK).errors[0] for line in ("fetch(1);", "const\t= 1;"))

        assert (lint.line, lint.column) == (5, 3)
        assert (syntax.line, syntax.column) == (5, 9)

    def test_one_place_has_one_error_and_the_list_has_an_end(self) -> None:
        report = build(scene("\n".join(f"  fetch({number});" for number in range(40))), checks=QUICK)

        assert len(report.errors) == MOST_ERRORS
        assert [error.line for error in report.errors] == list(range(5, 5 + MOST_ERRORS))

    def test_the_frame_that_failed_is_named(self) -> None:
        [error] = build(scene("  if (useCurrentFrame() === 41) throw new Error('late'); return text;")).errors

        assert error.message == "frame 41: Error: late"


class TestPlaying:
    def test_props_that_the_scene_cannot_draw_are_an_error(self) -> None:
        code = scene("  return text.toUpperCase();")

        assert build(code, props={"text": "two"}).errors == ()
        [error] = build(code, props={"text": 7}, checks=QUICK).errors
        assert (error.rule, error.line, error.column) == ("exception", 5, 15)

    def test_the_scene_is_played_at_its_rate(self) -> None:
        code = scene("  if (useCurrentFrame() > 100) throw new Error('too far'); return text;")

        assert build(code, frames=90).errors == ()
        [error] = build(code, frames=90, rate=2, checks=QUICK).errors
        assert error.message == "frame 51: Error: too far"

    def test_a_long_scene_is_played_to_its_last_frame(self) -> None:
        code = scene("  if (useCurrentFrame() === 8999) throw new Error('end'); return text;")

        [error] = build(code, frames=9000, checks=QUICK).errors

        assert error.message == "frame 8999: Error: end"

    def test_a_component_is_played_with_its_example_only(self) -> None:
        code = "export default function Badge({ text }: { text: string }) { return <b>{text.trim()}</b>; }"

        assert build(code, props={"text": "New"}, is_component=True).errors == ()
        assert build(code, props={"text": "New"}, checks=QUICK).errors != ()

    def test_the_images_that_are_shown_are_named(self) -> None:
        report = build((CORPUS / "good/image.tsx").read_text())

        assert report.images == IMAGES

    def test_a_value_that_is_no_number_is_a_warning(self) -> None:
        report = build(scene("  return <AbsoluteFill style={{ opacity: 0 / 0 }}>{text}</AbsoluteFill>;"))

        assert report.errors == ()
        assert [warning.rule for warning in report.warnings] == ["not-a-number"]

    def test_a_thing_that_is_thrown_and_is_no_error_is_told(self) -> None:
        [error] = build(scene("  throw { code: 1 };"), checks=QUICK).errors

        assert (error.kind, error.rule) == ("runtime", "exception")

    def test_more_elements_than_a_browser_shows_are_refused(self) -> None:
        code = scene(
            "  return <AbsoluteFill>{'.'.repeat(90).split('').map((x) => <b>{x.repeat(20000)}</b>)}</AbsoluteFill>;"
        )

        assert [error.rule for error in build(code, checks=QUICK).errors] == ["too-many-elements"]


class TestWarnings:
    def test_text_that_is_hard_to_read_and_missing_props_are_warnings(self) -> None:
        code = (
            'import { AbsoluteFill } from "@millrace/scene";\nexport default () => <b style={{ fontSize: 12 }}>x</b>;\n'
        )

        report = build(code)

        assert report.errors == ()
        assert [(warning.rule, warning.line, warning.column) for warning in report.warnings] == [
            ("no-props", 2, 16),
            ("small-text", 2, 44),
        ]


class TestDigest:
    def test_it_depends_on_all_that_the_build_depends_on(self) -> None:
        code = (CORPUS / "good/title.tsx").read_text()
        builds = [
            build(code),
            build(code, frames=60),
            build(code, rate=2),
            build(code, props={"title": "other"}),
            build(code.replace("Tidewater", "Tide")),
        ]

        digests = {report.build.digest for report in builds if report.build}

        assert len(digests) == len(builds)

    def test_the_same_source_has_the_same_build(self) -> None:
        code = (CORPUS / "good/bars.tsx").read_text()

        assert build(code).build == build(code).build


class TestKeptBuilds:
    def test_the_same_request_is_not_built_twice(self) -> None:
        compiler = CountingCompiler()
        counted: list[tuple[int, int]] = []
        checks = Checks(compiler, count=lambda *counts: counted.append(counts))
        code = (CORPUS / "good/counter.tsx").read_text()

        first, again, other = (build(code, checks=checks, props=props) for props in ({}, {}, {"to": 5}))

        assert first.build is not None
        assert again is first
        assert other.build != first.build
        assert compiler.calls == 2
        assert counted == [(0, 1), (1, 0), (0, 1)]

    def test_a_refusal_is_not_kept(self) -> None:
        compiler = CountingCompiler()
        checks = Checks(compiler, names=no_names)

        for _ in range(2):
            assert build("export default 3;", checks=checks).errors != ()
        assert compiler.calls == 2


class CountingCompiler(DenoCompiler):
    """Counts what it compiles."""

    calls = 0

    async def compile(self, source: Source, folder: Path) -> Compiled | BuildError:
        self.calls += 1
        return await super().compile(source, folder)


class TestTypeCheck:
    def test_wrong_types_alone_are_no_error(self, tmp_path: Path) -> None:
        async def check() -> list[BuildError]:
            source = Source("const a: number = 'x'; export default () => a.nix + unknownName;")
            await DenoCompiler().compile(source, tmp_path)
            return await type_errors(source, tmp_path)

        assert [error.rule for error in asyncio.run(check())] == ["undefined-name"]


class TestAnyText:
    """Whatever a model writes is reported, with places inside the text; nothing is raised."""

    @pytest.mark.parametrize(
        ("code", "rule"),
        [
            pytest.param("export default () => " + "[a," * 7_000 + "]" * 7_000, "too-deep", id="lists"),
            pytest.param("export default () => " + "<a>" * 5_000 + "</a>" * 5_000, "too-deep", id="elements"),
            pytest.param("export default () => " + "!" * 39_000 + "1", "too-deep", id="operators"),
            pytest.param("export default () => " + "`${" * 8_000, "too-complex", id="a template that does not end"),
            pytest.param("export default () => /" + "(" * 30_000 + "/", "syntax", id="a pattern"),
            pytest.param("export default async () => 'x'", "no-waiting", id="a promise"),
            pytest.param("export default class A {}", "default-export", id="a class"),
            pytest.param("export default () => { throw null }", "exception", id="null is thrown"),
            pytest.param("export default 'x'\n```", "syntax", id="a fence"),
            pytest.param("def f():\n    return 1", "syntax", id="another language"),
        ],
    )
    def test_a_text_that_is_no_scene(self, code: str, rule: str) -> None:
        report = build(code, checks=QUICK)

        assert rule in {error.rule for error in report.errors}
        assert all(len(error.message) <= 400 for error in report.errors)

    @given(data=st.data())
    @settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
    def test_a_scene_that_is_cut_off_or_has_something_inserted(self, data: st.DataObject) -> None:
        code = data.draw(st.sampled_from([file.read_text() for file in GOOD]))
        at = data.draw(st.integers(0, len(code)))
        rest = data.draw(st.sampled_from(["", code[at:]]))
        code = code[:at] + data.draw(st.text(max_size=5)) + rest

        report = build(code, checks=QUICK, frames=3)

        assert (report.build is None) == bool(report.errors)
        lines = Source(code).lines
        for error in report.errors:
            if error.line is not None and error.column is not None:
                assert error.line <= len(lines)
                assert error.column <= len(lines[error.line - 1]) + 1
