"""What pyproject.toml declares for Lambda, what the code that deploys imports, and what the layer holds."""

from __future__ import annotations

import ast
import functools
import re
import tomllib
from collections.abc import Iterable, Iterator

import pytest

from tests.layout import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
NAME = re.compile(r"[A-Za-z0-9-]+")
MODULES = {"pyjwt": "jwt"}
"""Package → the module that it brings, if that is not the package's name with underscores."""


def _names(requirements: list[str]) -> list[str]:
    return [found[0] for each in requirements if (found := NAME.match(each))]


def _statements(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield the statements and those inside them, without those for type checkers."""
    for statement in body:
        yield statement
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            if not (name == "body" and isinstance(statement, ast.If) and _is_type_checking(statement.test)):
                yield from _statements(getattr(statement, name, ()))


def _is_type_checking(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


@functools.cache
def _imported() -> set[str]:
    """Return the packages that a module of shared/ or functions/ imports when it runs."""
    found: set[str] = set()
    for folder in ("shared", "functions"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in _statements(ast.parse(file.read_text()).body):
                if isinstance(node, ast.Import):
                    found |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    found.add((node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("package", [*_names(PROJECT["project"]["dependencies"]), "boto3"])
def test_the_code_that_deploys_imports_every_package_that_is_declared_for_it(package: str) -> None:
    assert MODULES.get(package, package.replace("-", "_")) in _imported()


@pytest.mark.parametrize("package", _names(PROJECT["dependency-groups"]["runtime"]))
def test_the_layer_holds_no_package_that_lambda_brings(package: str) -> None:
    lines = (ROOT / "layers/dependencies/requirements.txt").read_text().splitlines()
    assert package not in _names(lines)


@pytest.mark.parametrize(("layer", "lock"), [("sheets", "dev"), ("video", "video")])
def test_a_layer_of_an_application_has_the_versions_that_the_tests_run_with(layer: str, lock: str) -> None:
    locked = "\n" + (ROOT / f"requirements/{lock}.lock").read_text()
    pins = (ROOT / f"layers/{layer}/requirements.txt").read_text().split()
    assert pins
    assert [pin for pin in pins if f"\n{pin} " not in locked] == []
