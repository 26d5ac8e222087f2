"""Read the configurations of samconfig.toml, and the template parameters that each sets."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from local.stack import ROOT

SAMCONFIG = ROOT / "samconfig.toml"
"""The file with the ways to deploy."""

DEFAULT, PRODUCTION = "default", "production"
"""The names of the two configurations."""


def configurations(path: Path = SAMCONFIG) -> dict[str, Mapping[str, str]]:
    """Return the parameters of every configuration that deploys, by the configuration's name."""
    document = tomllib.loads(path.read_text())
    return {
        name: dict(each.split("=", 1) for each in commands["deploy"]["parameters"]["parameter_overrides"])
        for name, commands in document.items()
        if isinstance(commands, dict) and "deploy" in commands
    }
