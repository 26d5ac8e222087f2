"""Find the modules that applications supply to the tests of the whole system, in `tests/apps/<app>/`."""

from __future__ import annotations

import importlib
from types import ModuleType

from tests.layout import ROOT


def modules(name: str) -> list[ModuleType]:
    """Import and return the module of this name of each application that has one, in the order of their names."""
    files = sorted((ROOT / "tests/apps").glob(f"*/{name}.py"))
    return [importlib.import_module(f"tests.apps.{file.parent.name}.{name}") for file in files]
