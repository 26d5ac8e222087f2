"""Which model a local stack uses: the one that the environment names, or the scripted one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from local.stack import ROOT
from local.template.template import Template


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """`url` None: the scripted model. `name` None: the template's default."""

    url: str | None = None
    api_key: str | None = None
    name: str | None = None

    @classmethod
    def of_environment(cls, environment: Mapping[str, str], template: Path = ROOT / "template.yaml") -> Self:
        """From OPENAI_BASE_URL, OPENAI_API_KEY and OPENAI_MODEL; a key alone means OpenAI's own endpoint."""
        url, key, name = (environment.get(f"OPENAI_{what}", "").strip() for what in ("BASE_URL", "API_KEY", "MODEL"))
        if not (url or key):
            return cls()
        declared = Template.parameter_defaults(template)
        chosen = name or declared.get("DefaultModel") or ""
        return cls(url.rstrip("/") or declared.get("ModelBaseUrl"), key or None, chosen)

    @property
    def scripted(self) -> bool:
        return self.url is None

    @property
    def label(self) -> str:
        """Who answers, for a person to read; never the key."""
        if self.url is None:
            return "scripted local model, not an AI (set OPENAI_API_KEY or OPENAI_BASE_URL for a real one)"
        key = "with your key" if self.api_key else "without a key"
        parts = urlsplit(self.url)
        return f"{self.name} at {parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}, {key}"
