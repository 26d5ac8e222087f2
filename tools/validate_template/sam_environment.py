"""Run programs of `.venv-sam`, the separate environment for the SAM CLI's own pinned packages."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tools.validate_template.findings import Finding

BIN = Path(__file__).parents[2] / ".venv-sam" / "bin"

# This region has SnapStart and the adapter layer; not every region has. No request is made to it.
REGION = "eu-central-1"


def run(program: str, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the program and return its result with any exit status.

    Raises: FileNotFoundError, which names the Make target of the environment.
    """
    executable = BIN / program
    if not executable.exists():
        raise FileNotFoundError(f"{executable} is missing: make .venv-sam/.synced")
    environment = os.environ | {"AWS_DEFAULT_REGION": REGION, "SAM_CLI_TELEMETRY": "0"}
    return subprocess.run(
        [executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def cfn_lint(template: Path) -> list[Finding]:
    """Return cfn-lint's findings of a plain CloudFormation template, with the template's own paths."""
    finished = run("cfn-lint", "--regions", REGION, "--format", "json", "--", str(template))
    try:
        matches: list[dict[str, Any]] = json.loads(finished.stdout or "[]")
    except json.JSONDecodeError:
        return [Finding(template.name, (finished.stderr or finished.stdout).strip())]
    if finished.returncode and not matches:
        return [Finding(template.name, finished.stderr.strip() or "cfn-lint failed")]
    return [
        Finding(
            ".".join(str(part) for part in match["Location"].get("Path") or [template.name]).removeprefix("Resources."),
            f"{match['Rule']['Id']} {match['Message']}",
        )
        for match in matches
    ]
