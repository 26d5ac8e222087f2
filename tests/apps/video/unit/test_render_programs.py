"""What rendering needs is found, or named; what killed processes left behind is removed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from shared.apps.video.rendering import profiles, programs
from shared.apps.video.rendering.fonts import characters_of, packages_for
from shared.apps.video.rendering.plan import PlannedScene, RenderPlan
from shared.apps.video.rendering.profiles import new_profile, remove_profile
from shared.apps.video.scene import Format
from shared.errors import ErrorCode, RendererMissing


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are found; PyAV is installed."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: ModuleSpec(name, None))
    return tmp_path


def a_program(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


class TestTheBrowser:
    def test_a_headless_shell_is_preferred_because_it_draws_on_command(self, folder: Path) -> None:
        chromium = a_program(folder, "chromium")
        assert programs.program() == programs.Program(chromium, draws_on_command=False)
        shell = a_program(folder, "chromium-headless-shell")
        assert programs.program() == programs.Program(shell, draws_on_command=True)

    def test_the_one_that_the_environment_names_is_used(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        a_program(folder, "chromium-headless-shell")
        (folder / "other").mkdir()
        named = a_program(folder / "other", "chrome-headless-shell")
        monkeypatch.setenv("CHROMIUM", str(named))
        assert programs.program() == programs.Program(named, draws_on_command=True)

    def test_a_missing_one_is_named_with_its_package(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(RendererMissing, match="apt-get install chromium-headless-shell") as refused:
            programs.require()
        assert refused.value.code is ErrorCode.RENDERER_UNAVAILABLE
        monkeypatch.setenv("CHROMIUM", "/no/such/chrome")
        with pytest.raises(RendererMissing, match="/no/such/chrome, which CHROMIUM names"):
            programs.program()

    def test_a_missing_encoder_is_named_with_its_command(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        a_program(folder, "chromium")
        programs.require()
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        assert programs.missing() == ("PyAV (run `make render`, and start again)",)
        with pytest.raises(RendererMissing, match="make render"):
            programs.require_packages()


class TestProfiles:
    def test_folders_of_processes_that_have_ended_are_removed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        monkeypatch.setattr(profiles, "LONGEST_PARENT", 1000)
        ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
        left = tmp_path / f"millrace-browser-{int(ended.stdout)}-x"
        (left / "profile").mkdir(parents=True)
        others = tmp_path / f"millrace-browser-{os.getppid()}-x"
        others.mkdir()

        profile = new_profile()

        assert sorted(tmp_path.iterdir()) == sorted([others, profile])
        remove_profile(profile)
        assert list(tmp_path.iterdir()) == [others]

    def test_a_path_is_short_enough_for_chromiums_socket_wherever_temporary_files_are(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deep = tmp_path / ("x" * 60)
        deep.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(deep))
        profile = new_profile()
        remove_profile(profile)
        assert len(f"{profile}/org.chromium.Chromium.abcdef/SingletonSocket") < 104


class TestFonts:
    @pytest.mark.parametrize(
        ("characters", "packages"),
        [
            pytest.param("日ひ한ｱ", ("fonts-noto-cjk",), id="Chinese, Japanese, Korean"),
            pytest.param("🎉☀", ("fonts-noto-color-emoji",), id="emoji"),
            pytest.param("กع", ("fonts-noto-core",), id="other scripts"),
            pytest.param("ก日🎉", ("fonts-noto-cjk", "fonts-noto-color-emoji", "fonts-noto-core"), id="all"),
            pytest.param("", (), id="none"),
        ],
    )
    def test_characters_without_a_font_name_the_package_that_has_one(
        self, characters: str, packages: tuple[str, ...]
    ) -> None:
        assert packages_for(characters) == packages

    def test_characters_are_those_of_code_and_of_props_that_can_be_seen(self) -> None:
        scene = PlannedScene(
            id="scn_01j00000000000000000000000-0",
            version=1,
            name="水",
            code="'é' + 'é'",
            duration_in_frames=1,
            props={"title": ["日\u200d\ufe0f", {"text": "本"}], "count": 3},
        )
        plan = RenderPlan(format=Format(width=64, height=64, fps=30), scenes=(scene,))
        assert characters_of(plan) == "é日本"
