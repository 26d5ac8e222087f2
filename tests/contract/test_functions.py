"""What every functions/<name>/app.py may look like: short, importing `shared` and a web framework, never storage."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from shared.bootstrap import pipelines

ROOT = Path(__file__).parents[2]
APPS = sorted((ROOT / "functions").glob("*/app.py"))
FRAMEWORK = {"fastapi", "typing", "asyncio", "secrets", "datetime"}
LONGEST = 70


def _imported(app: Path) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(ast.parse(app.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(str(node.module))
    return modules


@pytest.mark.parametrize("app", APPS, ids=lambda app: app.parent.name)
def test_a_function_imports_the_product_and_the_framework_and_nothing_else(app: Path) -> None:
    for module in _imported(app):
        package = module.partition(".")[0]
        assert package == "shared" or package in FRAMEWORK, module
        assert not module.startswith("shared.storage"), f"{module}: adapters are chosen in shared.bootstrap"


@pytest.mark.parametrize("app", APPS, ids=lambda app: app.parent.name)
def test_a_function_is_short_and_says_what_it_is(app: Path) -> None:
    text = app.read_text()
    assert len(text.splitlines()) <= LONGEST
    assert ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("app", APPS, ids=lambda app: app.parent.name)
def test_importing_a_function_reads_no_environment_and_loads_no_client(app: Path) -> None:
    """In a fresh process without one variable of ours: import needs no AWS, no model, no settings."""
    code = (
        f"import functions.{app.parent.name}.app, sys; "
        "loaded = {'boto3', 'openai', 'jwt', 'httpx2'} & sys.modules.keys(); "
        "assert not loaded, loaded"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, cwd=ROOT, env={"PATH": ""}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_every_pipeline_has_a_state_machine_that_names_its_stages_in_order() -> None:
    for pipeline in pipelines().values():
        machine = yaml.safe_load((ROOT / "statemachines" / f"{pipeline.name}.asl.yaml").read_text())
        state, order = machine["StartAt"], []
        while state:
            order.append("".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in state)[1:])
            state = machine["States"][state].get("Next")
        assert order == [*pipeline.stages, "complete_job"]
        assert machine["TimeoutSeconds"] == pipeline.run_seconds
