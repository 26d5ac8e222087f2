"""The output of `make build`, the sources that it is built from, and the environment that Lambda gives it."""

from __future__ import annotations

import filecmp
import json
import os
from collections.abc import Iterator
from glob import glob
from pathlib import Path
from typing import Any

import pytest

from local.template.template import Function
from tests.layout import APPS, ROOT, event_file

BUILD = ROOT / ".aws-sam" / "build"
LAYERS = [BUILD / "DependenciesLayer" / "python", BUILD / "SharedLayer" / "python"]
"""The layers of every function."""
SHEETS_LAYER = BUILD / "SheetsLayer" / "python"
VIDEO_LAYER = BUILD / "VideoLayer" / "python"
RENDER_LAYER = BUILD / "RenderLayer"
"""Its packages are in the folder `python`, its browser and fonts in the folder `chromium`."""
CONSOLE = BUILD / "ConsoleFunction" / "static"
"""The built console. `make build` adds the folder `bundle` to it, if there is Node."""
RUNTIME = ROOT / ".venv-runtime" / "bin" / "python"


WANTED = os.environ.get("ARTEFACTS_REQUIRED") == "true"
"""`make test-artefacts` requires the built functions: without them the tests fail instead of being skipped."""


def event(name: str) -> dict[str, Any]:
    """Return the event of `events/<group>/<name>.json`."""
    content: dict[str, Any] = json.loads(event_file(name).read_text())
    return content


def require(reason: str | None, *, wanted: bool = False) -> None:
    """Skip the test if there is a reason; in CI and if the built functions are wanted, fail it."""
    if reason is None:
        return
    if os.environ.get("CI") == "true" or wanted:
        pytest.fail(reason)
    pytest.skip(reason)


def missing() -> str | None:
    """Return in one line why the built functions cannot run; None if they can."""
    if not RUNTIME.exists() or not all(layer.is_dir() for layer in [*LAYERS, SHEETS_LAYER, VIDEO_LAYER, RENDER_LAYER]):
        return "nothing is built: make build"
    for source, built in _built_files():
        if not source.is_file() or "__pycache__" in source.parts:
            continue
        if not built.exists() or not filecmp.cmp(source, built, shallow=False):
            return f"the build is older than {source.relative_to(ROOT)}: make build"
    return None


def bundle_missing() -> str | None:
    """Return in one line why the console's bundle cannot be tested; None if it can."""
    source = ROOT / "functions/console/static"
    if not (CONSOLE / "bundle/index.html").exists():
        return "the console is not bundled: make build, with Node"
    for name in glob("**", root_dir=source, recursive=True):
        built = CONSOLE / name
        if (source / name).is_file() and not (built.exists() and filecmp.cmp(source / name, built, shallow=False)):
            return f"the console's bundle is older than {name}: make build"
    return None


def _built_files() -> Iterator[tuple[Path, Path]]:
    """Yield each source with the file that `sam build` makes of it."""
    for source in (ROOT / "shared").rglob("*"):
        yield source, LAYERS[1] / source.relative_to(ROOT)
    for app in APPS:
        logical_id = "".join(word.capitalize() for word in app.parent.name.split("_")) + "Function"
        for source in app.parent.rglob("*"):
            yield source, BUILD / logical_id / source.relative_to(app.parent)


def paths_of(function: Function) -> list[Path]:
    """Return the folders that Lambda puts together for the function: its code and its layers."""
    return [BUILD / function.logical_id, *LAYERS, *(BUILD / layer / "python" for layer in function.layers)]


def lambda_environment(function: Function) -> dict[str, str]:
    """Return the function's own environment variables and those that Lambda sets.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
    """
    return {
        **function.environment,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "LAMBDA_TASK_ROOT": str(BUILD / function.logical_id),
        # There is no X-Ray daemon here.
        "POWERTOOLS_TRACE_DISABLED": "true",
    }
