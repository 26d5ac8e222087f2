"""What `make build` made, whether it is made of these sources, and what Lambda would tell it."""

from __future__ import annotations

import filecmp
import json
import os
from pathlib import Path
from typing import Any

import pytest

from local.template.template import Function

ROOT = Path(__file__).parents[2]
BUILD = ROOT / ".aws-sam" / "build"
LAYERS = [BUILD / "DependenciesLayer" / "python", BUILD / "SharedLayer" / "python"]
RUNTIME = ROOT / ".venv-runtime" / "bin" / "python"


WANTED = os.environ.get("ARTEFACTS_REQUIRED") == "true"
"""`make test-artefacts` wants the artefacts: that there are none is a failure then."""


def event(name: str) -> dict[str, Any]:
    """The event of `events/<name>.json`."""
    content: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return content


def require(reason: str | None, *, wanted: bool = False) -> None:
    """Skip for this reason, if there is one; in CI, fail, as wherever artefacts are what is to be tested."""
    if reason is None:
        return
    if os.environ.get("CI") == "true" or wanted:
        pytest.fail(reason)
    pytest.skip(reason)


def missing() -> str | None:
    """What stands in the way of running the artefacts, in one line."""
    if not RUNTIME.exists() or not all(layer.is_dir() for layer in LAYERS):
        return "nothing is built: make build"
    sources = [*(ROOT / "shared").rglob("*"), *(ROOT / "functions").glob("[a-z]*/**/*")]
    for source in sources:
        if not source.is_file() or "__pycache__" in source.parts:
            continue
        built = _built_file(source.relative_to(ROOT))
        if not built.exists() or not filecmp.cmp(source, built, shallow=False):
            return f"the build is older than {source.relative_to(ROOT)}: make build"
    return None


def _built_file(source: Path) -> Path:
    if source.parts[0] == "shared":
        return LAYERS[1] / source
    folder = source.parts[1]
    logical_id = "".join(word.capitalize() for word in folder.split("_")) + "Function"
    return BUILD.joinpath(logical_id, *source.parts[2:])


def lambda_environment(function: Function) -> dict[str, str]:
    """The function's own variables, and those Lambda sets for it.

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
        # Nothing listens for traces here.
        "POWERTOOLS_TRACE_DISABLED": "true",
    }
