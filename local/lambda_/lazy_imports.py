"""Imports before the first request all modules that the product imports on first use.

On Lambda a process serves one request at a time. Here several threads may import modules that import each other, and
then Python gives one thread a module that is only partly initialised. The product's own modules have no import circle.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Final

BY_THE_PRODUCT: Final = (
    "anyio",
    "aws_lambda_powertools",
    "aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch",
    "aws_lambda_powertools.utilities.batch",
    "botocore.config",
    "botocore.httpsession",
    "botocore.exceptions",
    "httpx2",
    "jwt",
    "jwt.algorithms",
    "mangum",
    "openai",
    "pydantic",
)
"""The modules that functions of shared/ import on first use."""

BY_ITS_LIBRARIES: Final = (
    "anyio._backends._asyncio",
    "botocore.session",
    "httpcore2",
    "openai.resources.chat.chat",
    "openai.resources.responses.responses",
)
"""The modules that these libraries import on first use: of an event loop, a client or a call."""

IF_INSTALLED: Final = ("av", "brotli", "tree_sitter", "tree_sitter_typescript")
"""The modules that functions of shared/ import on first use, and that only the layers of video and render have."""

OF_MODELS: Final = frozenset({"httpcore2", "httpx2", "openai"})
"""The packages that only a call of a model uses."""


def import_all(*, models: bool = True) -> None:
    """Import all of them; those of models take half of the time, and a process that calls none does without."""
    for name in (*BY_THE_PRODUCT, *BY_ITS_LIBRARIES):
        if models or name.partition(".")[0] not in OF_MODELS:
            importlib.import_module(name)
    for name in IF_INSTALLED:
        if importlib.util.find_spec(name) is not None:
            importlib.import_module(name)
