"""The modules that are imported before the first request, so that no two requests import one at the same time."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from local.lambda_ import lazy_imports

ROOT = Path(__file__).resolve().parents[4]
NOT_LOCAL = {"sentry_sdk"}
"""Imported only if SENTRY_DSN is set."""

FIRST_CALLS = """
import asyncio, importlib, pkgutil, sys
from local.lambda_ import lazy_imports
lazy_imports.import_all()

import shared
import functions.jobs.list_jobs.app as api
for found in pkgutil.walk_packages(shared.__path__, "shared."):
    importlib.import_module(found.name)
before = set(sys.modules)

from shared.errors import ModelUnavailable, StorageUnavailable
from shared.llm.model import Message, ModelRequest
from shared.llm.openai.chat import OpenAIChatModel
from shared.llm.openai.responses import OpenAIResponsesModel
from shared.storage.items import read_item
from shared.observability.log import log
from shared.web.app import _warm_up_event

async def ask(adapter):
    model = adapter(base_url="http://127.0.0.1:1", api_key=lambda: "key", prices={})
    async for piece in model.stream(ModelRequest("m", (Message("user", "?"),))):
        pass

for adapter in (OpenAIChatModel, OpenAIResponsesModel):
    try:
        asyncio.run(ask(adapter))
    except ModelUnavailable:
        pass
try:
    read_item("table", {"PK": "JOB", "SK": "JOB"})
except StorageUnavailable:
    pass
asyncio.set_event_loop(asyncio.new_event_loop())
api.handler(_warm_up_event(api.app), None)
log.info("done")
known = {"shared", "functions", *sys.stdlib_module_names}
late = sorted(name for name in set(sys.modules) - before if name.partition(".")[0] not in known)
assert not late, late
"""
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "PATH": "",
}


@pytest.fixture(scope="module")
def sources() -> dict[str, ast.Module]:
    """Module of shared/ → its code."""
    return {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): ast.parse(file.read_text())
        for file in (ROOT / "shared").rglob("*.py")
    }


def imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (each.name for each in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield str(node.module)
        yield from (f"{node.module}.{each.name}" for each in node.names)


def imported_with(node: ast.AST) -> Iterator[str]:
    """Yield what importing a module imports, without imports for type checkers or inside functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            for each in child.orelse:
                yield from imported_with(each)
        elif not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from imported(child)
            yield from imported_with(child)


def imported_when_called(module: ast.Module) -> Iterator[str]:
    for function in ast.walk(module):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for node in ast.walk(function):
                if isinstance(node, ast.Import):
                    yield from (each.name for each in node.names)
                elif isinstance(node, ast.ImportFrom):
                    yield str(node.module)


def test_every_lazy_import_of_the_product_is_in_the_list(sources: dict[str, ast.Module]) -> None:
    late = {name for module in sources.values() for name in imported_when_called(module)}
    others = {name for name in late if name.partition(".")[0] not in {"shared", *sys.stdlib_module_names}}
    assert others - NOT_LOCAL == {*lazy_imports.BY_THE_PRODUCT, *lazy_imports.IF_INSTALLED}


def test_the_first_calls_of_a_model_aws_and_an_operation_import_no_third_party_module() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FIRST_CALLS], check=False, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_no_two_modules_of_the_product_import_each_other(sources: dict[str, ast.Module]) -> None:
    imports = {name: set(imported_with(module)) & sources.keys() - {name} for name, module in sources.items()}
    assert [*TopologicalSorter(imports).static_order()]
