"""Chooses the model of a local stack: the model that the environment names, or the scripted one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from local.template.template import Template
from shared.llm.openai.configuration import api_key_of, base_url_of, proxy_for


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model; without a `url` the scripted one. Without a `name` the template's default applies."""

    url: str | None = None
    api_key: str | None = None
    name: str | None = None

    @classmethod
    def of_environment(cls, environment: Mapping[str, str], template: Path) -> Self:
        """Read OPENAI_BASE_URL, OPENAI_API_KEY and OPENAI_MODEL. A key without a URL means OpenAI's own endpoint.

        Raises ModelMisconfigured, which names the variable, if one of them or the proxy for the URL is not valid.
        """
        url, key, name = (environment.get(f"OPENAI_{what}", "").strip() for what in ("BASE_URL", "API_KEY", "MODEL"))
        if not (url or key):
            return cls()
        declared = Template.parameter_defaults(template)
        base = base_url_of(url or declared.get("ModelBaseUrl") or "", "OPENAI_BASE_URL")
        proxy_for(base)
        chosen = name.strip("\"'") or declared.get("DefaultModel") or ""
        return cls(str(base), api_key_of(key, "OPENAI_API_KEY") if key else None, chosen)

    @property
    def scripted(self) -> bool:
        return self.url is None

    @property
    def label(self) -> str:
        """The model for a person to read, without the key."""
        if self.url is None:
            return "scripted local model, not an AI (set OPENAI_API_KEY or OPENAI_BASE_URL for a real one)"
        key = "with your key" if self.api_key else "without a key"
        parts = urlsplit(self.url)
        return f"{self.name} at {parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}, {key}"
