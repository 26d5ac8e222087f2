"""Fixtures: a repository with two small fragments, and a copy of this repository's fragments."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.layout import ROOT
from tools.infra.fragments import APPLICATIONS, ORDER
from tools.infra.stack import Stack

STACK = """\
# The head of the template.

AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Description: A stack.

Globals:
  Function:
    Handler: app.handler

Conditions:
  Never: !Equals [a, b]
"""
JOBS = """\
# Jobs, and nothing else.

Resources:
  CreateJobFunction:
    # The reason for this function.
    Type: AWS::Serverless::Function
    Properties:
      Routes:
        - POST /jobs
      # The reason for this timeout.
      Timeout: 20
"""
KINDS = """\
function:
  FunctionName: !Sub ${AWS::StackName}-<function>
  CodeUri: <code>

endpoint:
  # A client waits for it.
  MemorySize: 1024
  Description: <routes>
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The folder of a repository whose fragments are empty except `stack`, `jobs` and `kinds`."""
    infra = tmp_path / "infra"
    (infra / APPLICATIONS).mkdir(parents=True)
    for name in ORDER:
        if name != APPLICATIONS:
            (infra / f"{name}.yaml").write_text("")
    (infra / "stack.yaml").write_text(STACK)
    (infra / "jobs.yaml").write_text(JOBS)
    (infra / "kinds.yaml").write_text(KINDS)
    return tmp_path


@pytest.fixture
def write(repository: Path) -> Callable[[str, str], None]:
    """`write("agents", "Resources: …")` writes one fragment."""

    def written(name: str, text: str) -> None:
        (repository / "infra" / f"{name}.yaml").write_text(text)

    return written


@pytest.fixture
def template(repository: Path) -> Callable[[], str]:
    """`template()` returns the template of the fragments."""
    return lambda: Stack(repository / "infra").text()


@pytest.fixture
def product(tmp_path: Path) -> Path:
    """A copy of the fragments, the state machines and the template of this repository."""
    for name in ("infra", "statemachines"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "template.yaml", tmp_path)
    return tmp_path
