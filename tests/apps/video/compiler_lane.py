"""Builds of scenes in tests: what they need, and what they are asked."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.apps.video.build.checks import Checks
from shared.apps.video.build.report import BuildReport, BuildRequest
from shared.apps.video.build.toolchain import is_installed
from shared.apps.video.scene import FORMATS
from tests.layout import ROOT

PACKAGES = ROOT / ".venv-video"
CORPUS = Path(__file__).parent / "corpus"
IMAGES = frozenset({"img_01JZ0000000000000000000001", "img_01JZ0000000000000000000002"})
BADGE = """
import { jsx } from "preact/jsx-runtime";
export default ({ text, color }) => jsx("b", { style: { color }, children: text });
"""
"""A compiled component."""

# As in a function that has the layer: the packages come after all others.
if PACKAGES.is_dir() and str(PACKAGES) not in sys.path:
    sys.path.append(str(PACKAGES))
    importlib.invalidate_caches()

_FAULT = re.compile(r"^// fault: (\S+) (\S+) (\d+):(\d+)$", re.MULTILINE)


def require_compiler() -> None:
    """Skip the module that calls this if scenes cannot be built here; in CI its tests fail, and name the command."""
    if not is_installed() and os.environ.get("CI") != "true":
        pytest.skip("the compiler of scenes is not installed: make video", allow_module_level=True)


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """A fault as the report and the corpus name it."""

    line: int | None
    column: int | None
    kind: str
    rule: str


def expected(code: str) -> list[Fault]:
    """Return the faults that the comments at the end of a scene of the corpus name."""
    return sorted(Fault(int(line), int(column), kind, rule) for kind, rule, line, column in _FAULT.findall(code))


def found(report: BuildReport) -> list[Fault]:
    """Return the faults of a report, in its order."""
    return [Fault(error.line, error.column, error.kind, error.rule) for error in report.errors]


def build(
    code: str,
    *,
    checks: Checks | None = None,
    props: Mapping[str, Any] | None = None,
    frames: int = 90,
    rate: float = 1,
    is_component: bool = False,
) -> BuildReport:
    """Build a scene for a project that has two images and the component Badge."""
    request = BuildRequest(
        tsx_code=code,
        duration_in_frames=frames,
        format=FORMATS["landscape"],
        props=props or {},
        images=IMAGES,
        components={"Badge": BADGE},
        is_component=is_component,
        playback_rate=rate,
    )
    return asyncio.run((checks or Checks()).build(request))


def scene(body: str, *, names: str = "useCurrentFrame", before: str = "") -> str:
    """Return a scene whose function has this body. The body begins in line 5."""
    return f"""import {{ AbsoluteFill, {names} }} from "@millrace/scene";
import {{ memo }} from "react";
{before}
export default function Scene({{ text = "one" }}) {{
{body}
}}
"""
