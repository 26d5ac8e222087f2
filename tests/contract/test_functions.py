"""What every functions/<name>/app.py may look like: short, importing `shared` and a web framework, never storage."""

from __future__ import annotations

import ast
import json
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


@pytest.fixture(scope="module")
def wrong_when_imported() -> dict[str, str]:
    """Function → what is wrong with importing it, in a process of its own without one variable of ours; "" if nothing.

    The processes are forks of one that has imported what all of them do: that is most of the time of an import.
    """
    code = """
import importlib, json, os, sys, traceback
import aws_lambda_powertools, fastapi, mangum, pydantic_settings
for name in sys.argv[1:]:
    if os.fork() == 0:
        try:
            importlib.import_module(f"functions.{name}.app")
            loaded = sorted({"boto3", "openai", "jwt", "httpx2"} & sys.modules.keys())
            wrong = f"it loads {loaded}" if loaded else ""
        except BaseException:
            wrong = traceback.format_exc()
        print(json.dumps([name, wrong]), flush=True)
        os._exit(0)
    os.wait()
"""
    names = [app.parent.name for app in APPS]
    done = subprocess.run(
        [sys.executable, "-c", code, *names], check=False, cwd=ROOT, env={"PATH": ""}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(line) for line in done.stdout.splitlines())


@pytest.mark.parametrize("function", [app.parent.name for app in APPS])
def test_importing_a_function_reads_no_environment_and_loads_no_client(
    wrong_when_imported: dict[str, str], function: str
) -> None:
    """Import needs no AWS, no model, no settings."""
    wrong = wrong_when_imported.get(function, "its process died")
    assert not wrong, wrong


def test_every_pipeline_has_a_state_machine_that_names_its_stages_in_order() -> None:
    for pipeline in pipelines().values():
        machine = yaml.safe_load((ROOT / "statemachines" / f"{pipeline.name}.asl.yaml").read_text())
        state, order = machine["StartAt"], []
        while state:
            order.append("".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in state)[1:])
            state = machine["States"][state].get("Next")
        assert order == [*pipeline.stages, "complete_job"]
        assert machine["TimeoutSeconds"] == pipeline.run_seconds
