"""The ways to deploy that samconfig.toml has, by name, with the parameters that each sets."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from local.stack import ROOT

SAMCONFIG = ROOT / "samconfig.toml"
DEFAULT, PRODUCTION = "default", "production"


def configurations(path: Path = SAMCONFIG) -> dict[str, Mapping[str, str]]:
    """Return configuration → parameter → value, for every configuration that deploys."""
    document = tomllib.loads(path.read_text())
    return {
        name: dict(each.split("=", 1) for each in commands["deploy"]["parameters"]["parameter_overrides"])
        for name, commands in document.items()
        if isinstance(commands, dict) and "deploy" in commands
    }
