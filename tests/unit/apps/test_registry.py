"""The registry finds what an application declares, and imports no other application."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import apps
from shared.apps.registry import RegisteredPipelines
from shared.bootstrap import AwsPorts


@pytest.fixture
def applications(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Add the applications `fable`, which declares side writes, and `plain`, which has no bootstrap."""
    for name in ("fable", "plain"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f'PIPELINES = ("{name}",)\n')
    (tmp_path / "fable" / "bootstrap.py").write_text('def side_writes():\n    return ("the fable\'s",)\n')
    monkeypatch.setattr(apps, "__path__", [*apps.__path__, str(tmp_path)])
    yield tmp_path
    for module in [each for each in sys.modules if each.startswith(("shared.apps.fable", "shared.apps.plain"))]:
        del sys.modules[module]


@pytest.mark.usefixtures("applications")
def test_an_application_declares_the_side_writes_of_its_pipelines() -> None:
    ports = AwsPorts()
    removed = "a pipeline of an application that was removed"
    found = {name: tuple(map(str, ports.side_writes_of(name))) for name in ("fable", "plain", "ideation", removed)}
    assert found == {"fable": ("the fable's",), "plain": (), "ideation": (), removed: ()}


def test_to_read_a_declaration_imports_no_other_application(applications: Path) -> None:
    (applications / "fable" / "bootstrap.py").write_text("raise AssertionError\n")
    assert RegisteredPipelines().declared_for("plain", "side_writes") is None
    assert "shared.apps.fable.bootstrap" not in sys.modules


def test_an_import_that_fails_inside_a_bootstrap_is_an_error(applications: Path) -> None:
    (applications / "fable" / "bootstrap.py").write_text("import a_package_that_is_missing\n")
    with pytest.raises(ModuleNotFoundError, match="a_package_that_is_missing"):
        RegisteredPipelines().declared_for("fable", "side_writes")
