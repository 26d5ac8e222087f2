"""The registry finds what an application declares, and imports no other application."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import apps
from shared.apps.registry import RegisteredPipelines, application_module, application_names
from shared.bootstrap import AwsPorts
from shared.jobs.job import LinkKind


@pytest.fixture
def applications(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Register only the applications `fable` and `plain`, both with sessions. Only `fable` declares side writes."""
    for name in ("fable", "plain"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f'PIPELINES = ("{name}",)\nLINKS = ("sessionId",)\n')
        entities = f'def linked_entities(kind):\n    return f"{{kind}} of {name}"\n'
        (tmp_path / name / "bootstrap.py").write_text(entities)
    with (tmp_path / "fable" / "bootstrap.py").open("a") as bootstrap:
        bootstrap.write('def side_writes():\n    return ("the fable\'s",)\n')
    monkeypatch.setattr(apps, "__path__", [str(tmp_path)])
    yield tmp_path
    for module in [each for each in sys.modules if each.startswith(("shared.apps.fable", "shared.apps.plain"))]:
        del sys.modules[module]


@pytest.mark.usefixtures("applications")
def test_the_entities_of_a_link_come_from_the_jobs_own_application_first() -> None:
    ports = AwsPorts()
    for pipeline, order in (("plain", ["plain", "fable"]), ("fable", ["fable", "plain"]), ("none", ["fable", "plain"])):
        found = list(map(str, ports.linked_entities(LinkKind.SESSION, pipeline)))
        assert found == [f"sessionId of {application}" for application in order]
    assert list(ports.linked_entities(LinkKind.PROJECT, "fable")) == []


def test_an_application_is_imported_only_if_those_before_it_do_not_have_the_entity(applications: Path) -> None:
    (applications / "plain" / "bootstrap.py").write_text("raise AssertionError\n")
    assert str(next(iter(AwsPorts().linked_entities(LinkKind.SESSION, "fable")))) == "sessionId of fable"
    assert "shared.apps.plain.bootstrap" not in sys.modules


@pytest.mark.usefixtures("applications")
def test_an_application_declares_the_side_writes_of_its_pipelines() -> None:
    ports = AwsPorts()
    removed = "a pipeline of an application that was removed"
    found = {name: tuple(map(str, ports.side_writes_of(name))) for name in ("fable", "plain", removed)}
    assert found == {"fable": ("the fable's",), "plain": (), removed: ()}


def test_to_read_a_declaration_imports_no_other_application(applications: Path) -> None:
    (applications / "fable" / "bootstrap.py").write_text("raise AssertionError\n")
    assert RegisteredPipelines().declared_for("plain", "side_writes") is None
    assert "shared.apps.fable.bootstrap" not in sys.modules


def test_an_import_that_fails_inside_a_bootstrap_is_an_error(applications: Path) -> None:
    (applications / "fable" / "bootstrap.py").write_text("import a_package_that_is_missing\n")
    with pytest.raises(ModuleNotFoundError, match="a_package_that_is_missing"):
        RegisteredPipelines().declared_for("fable", "side_writes")


SAGAS = """
class Sagas:
    kind = "saga"

def topic_sources():
    return (Sagas(),)
"""


def test_an_applications_topic_has_the_source_of_its_kind(applications: Path) -> None:
    (applications / "fable" / "__init__.py").write_text('PIPELINES = ("fable",)\nTOPICS = ("saga", "myth")\n')
    (applications / "fable" / "bootstrap.py").write_text(SAGAS)
    (applications / "plain" / "bootstrap.py").write_text("raise AssertionError\n")
    ports = AwsPorts()
    assert {"saga", "myth"} <= set(ports.application_topics)
    assert type(ports.topic_source("saga")).__name__ == "Sagas"
    for kind in ("myth", "legend"):
        with pytest.raises(LookupError, match=f"the topic kind {kind} must have its source"):
            ports.topic_source(kind)


@pytest.mark.parametrize("application", application_names())
def test_what_an_application_declares_is_annotated_with_the_cores_port_so_that_mypy_compares_them(
    application: str,
) -> None:
    declare = getattr(application_module(application, "bootstrap"), "topic_sources", None)
    assert declare is None or declare.__annotations__["return"] == "Sequence[TopicSource]"
